import type { NewEvent } from "../../../src/outbox/event";
import { Outbox } from "../../../src/outbox/outbox";
import type { MemoryLimits, OutboxLimits } from "../../../src/outbox/outbox-limits";
import { FakeClock } from "./fake-clock";
import { newEvent, RecordedCompletion, RecordingListener, roomyLimits } from "./outbox-events";
import { ManualGate, ManualLink } from "./outbox-ports";
import { Disk, SteppedStore } from "./stepped-store";

/** An outbox whose surroundings the test drives, on a durable store that is open unless the test says otherwise. */
export function outboxFixture(options: FixtureOptions = {}) {
    const clock = options.clock ?? new FakeClock();
    const disk = options.disk ?? new Disk();
    const stepped = new SteppedStore(disk);
    const link = new ManualLink();
    const gate = new ManualGate();
    const listener = new RecordingListener();
    const outbox = new Outbox({
        store: options.isInMemory ? undefined : stepped,
        storesEvents: !(options.isInMemory ?? options.storesNothing),
        clock,
        boot: clock,
        limits: { ...roomyLimits, ...options.limits },
        memory: options.memory ?? {},
        gate,
        link,
        listener,
    });
    if (options.isOpen ?? true) stepped.open();
    if (options.areFlowsRunning ?? true) outbox.flowsStarted();
    return {
        clock,
        disk,
        store: stepped,
        link,
        gate,
        listener,
        outbox,
        verbs: gate.verbs,
        admit(device: string, text: string, event: Partial<NewEvent> = {}): RecordedCompletion {
            const completion = new RecordedCompletion();
            outbox.admit(newEvent(device, text, event), completion);
            return completion;
        },
        /** The link goes down, as the gateway reports it. */
        cut(): void {
            link.cut();
            outbox.linkDown();
        },
        /** Lets the group commit come and the store work it off. */
        writeOut(): void {
            clock.advance(300);
            stepped.settle();
        },
    };
}

interface FixtureOptions {
    disk?: Disk;
    clock?: FakeClock;
    /** Whether there is no store, or one whose events are only sent. */
    isInMemory?: boolean;
    storesNothing?: boolean;
    isOpen?: boolean;
    areFlowsRunning?: boolean;
    limits?: Partial<OutboxLimits>;
    memory?: Partial<MemoryLimits>;
}
