import type { Node, NodeAPI, NodeDef } from "node-red";
import { Counter } from "../support/counter";
import { serveProcess } from "../support/process-memory";

/** Counts the messages that reach it, on request. */
export default function register(RED: NodeAPI): void {
    const counter = new Counter();
    serveProcess();

    function CounterNode(this: Node, definition: NodeDef): void {
        RED.nodes.createNode(this, definition);
        this.on("input", (_message, _send, done) => {
            counter.received();
            done();
        });
    }

    RED.nodes.registerType("bench-counter", CounterNode);
}
