import { randomUUID } from "node:crypto";

/** Where every part of the gateway gets its random numbers and new ids from, so that a simulation can repeat a history. */
export interface Chance {
    /** A number from 0 to below 1. */
    random(): number;
    /** A new id, never the same twice. */
    createId(): string;
}

/** The chance of the machine. */
export const systemChance: Chance = { random: Math.random, createId: randomUUID };
