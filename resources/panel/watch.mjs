// Looks at one gateway: the server publishes its changes for a while after each time it is asked to.
import { server } from "./server.mjs";

export class Watch {
    /** `seen` gets each view of the gateway, `failed` the HTTP status of an answer that is none. */
    constructor({ seen, failed }) {
        this.#seen = seen;
        this.#failed = failed;
    }

    #seen;
    #failed;
    #id = "";
    #listener = (_topic, view) => this.#show(view);

    /** What is looked at; empty = nothing. */
    get id() {
        return this.#id;
    }

    /** Looks at a gateway, in place of another one. */
    begin(id) {
        this.end();
        this.#id = id;
        globalThis.RED.comms.subscribe(`wiotp-gateway/${id}`, this.#listener);
        this.renew();
    }

    /** Has the server go on, and asks how things are now. */
    renew() {
        const id = this.#id;
        server
            .watch(id)
            .done((view) => this.#show(view))
            .fail(({ status }) => id === this.#id && this.#failed(status));
    }

    /** Nothing more is asked for; what still comes is not shown. */
    end() {
        if (this.#id !== "") globalThis.RED.comms.unsubscribe(`wiotp-gateway/${this.#id}`, this.#listener);
        this.#id = "";
    }

    #show(view) {
        if (view.id === this.#id) this.#seen(view);
    }
}
