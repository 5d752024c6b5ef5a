import { type Duplex, duplexPair } from "node:stream";

/** Both ends of a connection in memory. As with sockets, the end of one is the end of the other, after the data that is on its way. */
export function streamPair(): [Duplex, Duplex] {
    const pair = duplexPair();
    const [one, other] = pair;
    one.on("close", () => other.push(null));
    other.on("close", () => one.push(null));
    return pair;
}
