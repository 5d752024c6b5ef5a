import type { SentPacket } from "../../connection/sent-packet";
import type { SuspectClient } from "./trial";
import { keyOf, type PacketName } from "./trials";

/** What may not be sent because of another's test. */
export class Bystanders {
    readonly #bystanders = new Map<string, Bystander>();

    add(packet: SentPacket, client: SuspectClient): void {
        this.#bystanders.set(keyOf(packet), { packet, client });
    }

    remove(packet: PacketName): void {
        this.#bystanders.delete(keyOf(packet));
    }

    clear(): void {
        this.#bystanders.clear();
    }

    /** Lets all of them ask again; one that must still wait is added once more. */
    wakeAll(): void {
        for (const [key, { packet, client }] of [...this.#bystanders]) {
            if (this.#bystanders.delete(key)) client.wake(packet);
        }
    }
}

interface Bystander {
    readonly packet: SentPacket;
    readonly client: SuspectClient;
}
