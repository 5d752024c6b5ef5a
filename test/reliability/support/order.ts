/** Payloads are `<device>:<number>`, with numbers that grow for each device. Of repeated ones the first counts. */
export class OrderCheck {
    readonly #last = new Map<string, number>();

    /** What came after a later payload of the same device, in words. */
    violations(payloads: Iterable<string>): string[] {
        const found: string[] = [];
        const seen = new Set<string>();
        for (const payload of payloads) {
            if (seen.has(payload) || !payload.includes(":")) continue;
            seen.add(payload);
            const [device = "", number] = payload.split(":");
            const last = this.#last.get(device) ?? 0;
            if (Number(number) < last) found.push(`${payload} came after ${device}:${last}`);
            else this.#last.set(device, Number(number));
        }
        return found;
    }
}
