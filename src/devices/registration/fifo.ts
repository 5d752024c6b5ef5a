/** A first-in first-out queue in which each operation takes the same time, also removing an item from the middle. */
export class Fifo<Item> {
    #first: FifoPlace<Item> | undefined;
    #last: FifoPlace<Item> | undefined;
    #length = 0;

    /** How many items wait. */
    get length(): number {
        return this.#length;
    }

    /** The item that `shift` would take. */
    get first(): Item | undefined {
        return this.#first?.item;
    }

    /** Adds an item behind all others; returns its place, for `remove`. */
    push(item: Item): FifoPlace<Item> {
        return this.#insert({ item, fifo: this, next: undefined, previous: this.#last });
    }

    /** Puts an item before all others; returns its place, for `remove`. */
    unshift(item: Item): FifoPlace<Item> {
        return this.#insert({ item, fifo: this, next: this.#first, previous: undefined });
    }

    /** Takes the first item. */
    shift(): Item | undefined {
        const place = this.#first;
        if (place) this.remove(place);
        return place?.item;
    }

    /** Takes an item out, wherever it is. */
    remove(place: FifoPlace<Item>): void {
        if (place.fifo !== this) return;
        place.fifo = undefined;
        if (place.previous) place.previous.next = place.next;
        else this.#first = place.next;
        if (place.next) place.next.previous = place.previous;
        else this.#last = place.previous;
        this.#length--;
    }

    #insert(place: FifoPlace<Item>): FifoPlace<Item> {
        if (place.previous) place.previous.next = place;
        else this.#first = place;
        if (place.next) place.next.previous = place;
        else this.#last = place;
        this.#length++;
        return place;
    }
}

/** The place of an item in a queue; `fifo` is undefined once it was taken out. */
export interface FifoPlace<Item> {
    readonly item: Item;
    fifo: Fifo<Item> | undefined;
    next: FifoPlace<Item> | undefined;
    previous: FifoPlace<Item> | undefined;
}
