/** How many events there are, and their bytes. */
export class EventCount {
    events = 0;
    bytes = 0;

    add(events: number, bytes: number): void {
        this.events += events;
        this.bytes += bytes;
    }

    clear(): void {
        this.events = 0;
        this.bytes = 0;
    }
}
