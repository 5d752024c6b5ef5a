/** Something that lasts until it is closed. Closing it twice changes nothing. */
export interface Subscription {
    close(): void;
}
