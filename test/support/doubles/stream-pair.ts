import { type Duplex, duplexPair } from "node:stream";

/** Both ends of a connection in memory. As with sockets, the end of one is the end of the other, after the data that is on its way. */
export function streamPair(): [Duplex, Duplex] {
    const pair = duplexPair();
    const [one, other] = pair;
    one.on("close", () => endAfterData(other));
    other.on("close", () => endAfterData(one));
    return pair;
}

/** Nobody reads any more what this end writes, so a write that is on its way would never be done. */
function endAfterData(stream: Duplex): void {
    if (stream.readableEnded) {
        stream.destroy();
        return;
    }
    stream.once("end", () => stream.destroy());
    stream.push(null);
}
