import { DeviceRecord } from "../devices/inventory/device-record";
import { deviceStateKind } from "../devices/inventory/inventory";
import type { StateStore } from "../outbox/store/store";

/** The servers of a file, by their key; the value grows with each change of the server. */
const serverKind = "server";
/** The filters of a durable session. Files of the first version have rows of this kind that belong to no server. */
const filterKind = "filter";
/** Whether the server has shown that it registers devices. */
const signKind = "sign";
/** The servers whose state is kept, the one in use included. */
const keptServers = 4;

/**
 * What one server holds and knows, in the state file: the filters of its durable session, the devices that it accepted or refused, and
 * whether it has shown that it registers devices. Another server begins without any of it. What the last four servers knew is kept, so that
 * a gateway that goes back to one of them finds it.
 *
 * The inventory's own rows always belong to the server in use. `enter` exchanges them when that is another one, in one transaction.
 */
export class ServerState implements StateStore {
    readonly #file: StateStore;
    readonly #server: string;

    /** @param server names the server in use, as `serverKey` does */
    constructor(file: StateStore, server: string) {
        this.#file = file;
        this.#server = server;
    }

    /**
     * Makes this the server that the file belongs to. Call it once, when the file has been opened and before devices are read from it. A file
     * that names no server belongs to this one.
     * @returns the server that the file belonged to, if that was another one
     */
    enter(): string | undefined {
        const servers = [...this.#file.entries(serverKind)].map(([server, order]) => ({ server, order: Number(order) }));
        servers.sort((one, other) => other.order - one.order);
        const [last] = servers;
        if (last?.server === this.#server) return undefined;
        this.#file.put(serverKind, this.#server, String((last?.order ?? 0) + 1));
        if (!last) {
            this.#adoptFilters();
            return undefined;
        }
        this.#exchangeDevices(last.server);
        const others = servers.filter(({ server }) => server !== this.#server);
        for (const { server } of others.slice(keptServers - 1)) this.#forget(server);
        return last.server;
    }

    /** Whether the server has shown that it registers devices. */
    get hasGivenSign(): boolean {
        return [...this.entries(signKind)].length > 0;
    }

    /** The server has shown that it registers devices. */
    signGiven(): void {
        this.put(signKind, "registers", "");
    }

    entries(kind: string): Iterable<[key: string, value: string]> {
        return this.#file.entries(kindOf(kind, this.#server));
    }

    put(kind: string, key: string, value: string): void {
        this.#file.put(kindOf(kind, this.#server), key, value);
    }

    remove(kind: string, key: string): void {
        this.#file.remove(kindOf(kind, this.#server), key);
    }

    flush(): Promise<void> {
        return this.#file.flush();
    }

    /** Takes over the filters that an earlier version noted without a server. */
    #adoptFilters(): void {
        for (const [filter, value] of [...this.#file.entries(filterKind)]) {
            this.put(filterKind, filter, value);
            this.#file.remove(filterKind, filter);
        }
    }

    /** Puts aside what the other server knows of each device, and takes out what this one knows. */
    #exchangeDevices(other: string): void {
        const own = new Map(this.entries(deviceStateKind));
        for (const [device, text] of [...this.#file.entries(deviceStateKind)]) {
            const record = DeviceRecord.decode(text);
            const before = record.encodeRegistration();
            if (before !== undefined) this.#file.put(kindOf(deviceStateKind, other), device, before);
            const now = own.get(device);
            if (before === undefined && now === undefined) continue;
            record.takeRegistration(now);
            this.#file.put(deviceStateKind, device, record.encode());
        }
        for (const device of own.keys()) this.remove(deviceStateKind, device);
    }

    #forget(server: string): void {
        for (const kind of [deviceStateKind, filterKind, signKind].map((each) => kindOf(each, server))) {
            for (const [key] of [...this.#file.entries(kind)]) this.#file.remove(kind, key);
        }
        this.#file.remove(serverKind, server);
    }
}

function kindOf(kind: string, server: string): string {
    return `${kind} of ${server}`;
}
