import type { GatewayError } from "../../errors";
import type { UndeliveredChanges } from "../store/store";
import type { UndeliveredRecord } from "./undelivered-record";

/** What the store has yet to learn of undelivered events that it holds: which of them were handed over, and which are to go. */
export class UndeliveredNotes {
    #caught: number[] = [];
    #uncaught: number[] = [];
    /** Those of them that a commit under way notes. */
    #noting: readonly number[] = [];
    /** Numbers of kept ones that are to go, and who waits for it; and of all that are about to go. */
    #removals: number[] = [];
    #waiters: Waiter[] = [];
    readonly #removing = new Set<number>();

    /** Whether a commit is needed. */
    get hasChanges(): boolean {
        return this.#caught.length > 0 || this.#uncaught.length > 0 || this.#removals.length > 0;
    }

    /** How many were handed over, although the store does not say so yet. */
    get count(): number {
        return this.#noting.length + this.#caught.length + this.#uncaught.length;
    }

    /** Their numbers. */
    get ids(): readonly number[] {
        return [...this.#caught, ...this.#uncaught, ...this.#noting];
    }

    handedOver({ id, state }: UndeliveredRecord): void {
        (state === "caught" ? this.#caught : this.#uncaught).push(id);
    }

    /** Whether a kept one is about to go. */
    isLeaving(id: number): boolean {
        return this.#removing.has(id);
    }

    /** A kept one is about to go, with a commit that says so or after `remove`. */
    leaves(id: number): void {
        this.#removing.add(id);
    }

    /** The next commit removes it. */
    remove(id: number): void {
        this.#removing.add(id);
        this.#removals.push(id);
    }

    /** Settles with the next commit. */
    removed(): Promise<void> {
        return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    }

    /** Gives out the notes for a commit, which removes those of `moved` that are about to go. */
    take(moved: readonly number[]): TakenNotes {
        const caught = this.#caught;
        const uncaught = this.#uncaught;
        const removals = this.#removals;
        const waiters = this.#waiters;
        this.#caught = [];
        this.#uncaught = [];
        this.#removals = [];
        this.#waiters = [];
        this.#noting = [...caught, ...uncaught];
        const removed = [...removals, ...moved.filter((id) => this.#removing.has(id))];
        return {
            changes: { caught, uncaught, removed },
            written: () => {
                this.#noting = [];
                for (const id of removed) this.#removing.delete(id);
                for (const { resolve } of waiters) resolve();
            },
            failed: (error, isVoid) => {
                this.#noting = [];
                for (const { reject } of waiters) reject(error);
                if (isVoid) return;
                this.#caught = caught.concat(this.#caught);
                this.#uncaught = uncaught.concat(this.#uncaught);
                this.#removals = removals.concat(this.#removals);
            },
        };
    }

    /** The store holds other events than before. */
    forget(): void {
        this.#caught = [];
        this.#uncaught = [];
        this.#removals = [];
        this.#removing.clear();
        for (const { resolve } of this.#waiters.splice(0)) resolve();
    }
}

/** The notes of a commit. One of the two is called with its outcome. */
export interface TakenNotes {
    readonly changes: Pick<UndeliveredChanges, "caught" | "uncaught" | "removed">;
    written(): void;
    /** `isVoid`: the store holds other events by now. */
    failed(error: GatewayError, isVoid: boolean): void;
}

/** Who waits for a commit. */
interface Waiter {
    resolve(): void;
    reject(error: GatewayError): void;
}
