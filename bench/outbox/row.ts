/** One line of the table: what was measured, the result, and what is to be reached. */
export interface Row {
    readonly what: string;
    readonly measured: string;
    readonly target: string;
}
