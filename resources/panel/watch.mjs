// Watches one gateway: after each request, the server publishes the gateway's changes for a while.
import { server } from "./server.mjs";

export class Watch {
    /** `seen` receives each view of the gateway, `failed` the HTTP status of a failed request. */
    constructor({ seen, failed }) {
        this.#seen = seen;
        this.#failed = failed;
    }

    #seen;
    #failed;
    #id = "";
    #listener = (_topic, view) => this.#show(view);

    /** The watched gateway; empty if there is none. */
    get id() {
        return this.#id;
    }

    /** Watches a gateway instead of another one. */
    begin(id) {
        this.end();
        this.#id = id;
        globalThis.RED.comms.subscribe(`wiotp-gateway/${id}`, this.#listener);
        this.renew();
    }

    /** Extends the watch and requests the current state. */
    renew() {
        const id = this.#id;
        server
            .watch(id)
            .done((view) => this.#show(view))
            .fail(({ status }) => id === this.#id && this.#failed(status));
    }

    /** Ends the watch; later answers are ignored. */
    end() {
        if (this.#id !== "") globalThis.RED.comms.unsubscribe(`wiotp-gateway/${this.#id}`, this.#listener);
        this.#id = "";
    }

    #show(view) {
        if (view.id === this.#id) this.#seen(view);
    }
}
