/**
 * Payloads are `<device>:<number>` or `<device>.<priority>:<number>`, with numbers that grow for each device, or each device and priority: between
 * priorities there is no order. Of repeated ones the first counts, however long ago it was.
 */
export class OrderCheck {
    readonly #last = new Map<string, number>();
    readonly #seen = new Set<string>();
    #repeated = 0;

    /** Payloads that came more than once so far: the second time, the third … each. */
    get repeated(): number {
        return this.#repeated;
    }

    /** The payloads that came after a later one of the same device and priority, as text. */
    violations(payloads: Iterable<string>): string[] {
        const found: string[] = [];
        for (const payload of payloads) {
            if (!payload.includes(":")) continue;
            if (this.#seen.has(payload)) {
                this.#repeated += 1;
                continue;
            }
            this.#seen.add(payload);
            const [device = "", number] = payload.split(":");
            const last = this.#last.get(device) ?? 0;
            if (Number(number) < last) found.push(`${payload} came after ${device}:${last}`);
            else this.#last.set(device, Number(number));
        }
        return found;
    }
}
