import { Faults } from "./faults";
import { Observation } from "./observation";
import type { Settings } from "./options";
import { Organisation } from "./organisation";
import { PlainTopics } from "./sessions/plain-topics";
import { Timers } from "./timers";

const maxOrganisations = 1000;
const organisationRule = /^[A-Za-z0-9_.-]{1,36}$/;

/** What all connections share: settings, organisations, faults and the record of received packets. */
export class Platform {
    readonly settings: Settings;
    readonly timers: Timers;
    readonly faults = new Faults();
    readonly observed: Observation;
    /** The topics of plain MQTT clients; absent = there are no such clients. */
    readonly plainTopics: PlainTopics | undefined;
    readonly #organisations = new Map<string, Organisation>();

    constructor(settings: Settings) {
        this.settings = settings;
        this.timers = new Timers(settings.clock);
        this.plainTopics = settings.plain ? new PlainTopics(settings, this.faults) : undefined;
        this.observed = new Observation(settings.logSize, () => this.timers.now());
    }

    /** The organisation of that name, created on first use; `undefined` for one that the platform does not know. */
    organisation(name: string): Organisation | undefined {
        const existing = this.#organisations.get(name);
        if (existing) return existing;
        const { organisation } = this.settings;
        const allowed = organisation === undefined ? organisationRule.test(name) : organisation === name;
        if (!allowed || this.#organisations.size >= maxOrganisations) return undefined;
        const created = new Organisation(name, this.settings, this.faults, this.timers);
        this.#organisations.set(name, created);
        return created;
    }

    /** Every organisation that has been used so far. */
    organisations(): IterableIterator<Organisation> {
        return this.#organisations.values();
    }
}
