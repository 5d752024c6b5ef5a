import assert from "node:assert/strict";
import fc from "fast-check";
import {
    type AcknowledgedMessage,
    type AcknowledgementWriter,
    ReceivedMessages,
    type Reception,
} from "../../../src/connection/received-messages";
import { usedBytes } from "../../support/used-bytes";
import { waitFor } from "../../support/wait-for";

function message(packetId: number, text: string, more: Partial<AcknowledgedMessage> = {}): AcknowledgedMessage {
    return { packetId, qos: 1, duplicate: false, topic: `t/${text}`, payload: Buffer.from(text), ...more };
}

/** Received messages of one client, and the acknowledgements that left on the present connection. */
class Setup {
    readonly received = new ReceivedMessages();
    left: string[] = [];
    #write: AcknowledgementWriter = () => undefined;

    constructor() {
        this.connect(false);
    }

    connect(sessionPresent: boolean): void {
        const left: string[] = [];
        this.left = left;
        this.#write = ({ packetId, qos }) => left.push(`${qos === 1 ? "PUBACK" : "PUBREC"} ${packetId}`);
        this.received.connectionStarted(sessionPresent, this.#write);
    }

    disconnect(): void {
        this.received.connectionEnded(this.#write);
    }

    /** A message that must be new. */
    take(...given: Parameters<typeof message>): Reception {
        const reception = this.received.received(message(...given));
        assert.ok(reception, "it is handed over");
        return reception;
    }

    repeat(packetId: number, text: string, more: Partial<AcknowledgedMessage> = {}): Reception | undefined {
        return this.received.received(message(packetId, text, { duplicate: true, ...more }));
    }
}

describe("received messages", () => {
    it("acknowledges at once what is accepted at once", () => {
        const { received, left, take } = bound(new Setup());
        received.accepted(take(7, "a"));
        received.accepted(take(8, "b", { qos: 2 }));
        assert.deepEqual(left, ["PUBACK 7", "PUBREC 8"]);
        assert.equal(received.size, 0);
    });

    it("withholds the acknowledgements of finished messages behind an unfinished one, of either QoS", () => {
        const { received, left, take } = bound(new Setup());
        const [first, second, third, fourth] = [take(1, "a"), take(2, "b", { qos: 2 }), take(3, "c"), take(4, "d")];
        received.accepted(third);
        received.accepted(second);
        assert.deepEqual(left, []);
        received.accepted(first);
        assert.deepEqual(left, ["PUBACK 1", "PUBREC 2", "PUBACK 3"]);
        received.accepted(fourth);
        assert.deepEqual(left.slice(3), ["PUBACK 4"]);
    });

    it("does not hand over the copy of a message in work, and acknowledges it when that is finished", () => {
        const setup = new Setup();
        const first = setup.take(1, "a");
        setup.connect(true);
        assert.equal(setup.repeat(1, "a"), undefined);
        assert.deepEqual(setup.left, []);
        setup.received.accepted(first);
        assert.deepEqual(setup.left, ["PUBACK 1"]);
    });

    it("acknowledges at once the copy of a message that was finished while the link was down, or behind an unfinished one", () => {
        const setup = new Setup();
        const [first, second] = [setup.take(1, "a"), setup.take(2, "b")];
        setup.received.accepted(second);
        setup.disconnect();
        setup.received.accepted(first);
        setup.connect(true);
        assert.deepEqual([setup.repeat(1, "a"), setup.repeat(2, "b")], [undefined, undefined]);
        assert.deepEqual(setup.left, ["PUBACK 1", "PUBACK 2"]);
    });

    it("acknowledges nothing on a connection on which the message did not come", () => {
        const setup = new Setup();
        const first = setup.take(1, "a");
        setup.connect(true);
        setup.received.accepted(first);
        assert.deepEqual(setup.left, []);
    });

    for (const [name, copy] of [
        ["another packet id", message(2, "a", { duplicate: true })],
        ["another topic", message(1, "a", { duplicate: true, topic: "other" })],
        ["another payload", message(1, "a", { duplicate: true, payload: Buffer.from("A") })],
        ["another QoS", message(1, "a", { duplicate: true, qos: 2 })],
        ["no DUP flag", message(1, "a")],
    ] as const) {
        it(`takes a message with ${name} for a new one`, () => {
            for (const isFinished of [false, true]) {
                const setup = new Setup();
                setup.take(9, "unfinished");
                const first = setup.take(1, "a");
                if (isFinished) setup.received.accepted(first);
                setup.connect(true);
                assert.ok(setup.received.received(copy));
            }
        });
    }

    it("takes everything for new where the session is lost, and never acknowledges what came before", () => {
        const setup = new Setup();
        const first = setup.take(1, "a");
        setup.connect(false);
        const again = setup.repeat(1, "a");
        assert.ok(again);
        setup.received.accepted(first);
        assert.deepEqual(setup.left, []);
        setup.received.accepted(again);
        assert.deepEqual(setup.left, ["PUBACK 1"]);
    });

    it("takes a copy of what was acknowledged for a new message, as its acknowledgement may be that of another", () => {
        const setup = new Setup();
        setup.received.accepted(setup.take(1, "a"));
        setup.connect(true);
        assert.ok(setup.repeat(1, "a"));
    });

    it("goes on acknowledging when the end of an earlier connection is reported late", () => {
        const setup = new Setup();
        const late = () => undefined;
        setup.received.connectionStarted(false, late);
        setup.connect(true);
        const first = setup.take(1, "a");
        setup.received.connectionEnded(late);
        setup.received.accepted(first);
        assert.deepEqual(setup.left, ["PUBACK 1"]);
    });

    it("acknowledges a message once that the server sends twice on one connection", () => {
        const { received, left, take, repeat } = bound(new Setup());
        const first = take(1, "a");
        assert.equal(repeat(1, "a"), undefined);
        received.accepted(first);
        assert.deepEqual(left, ["PUBACK 1"]);
    });

    it("draws another PUBREC with a repeated message of QoS 2 until its PUBREL, in its turn, and is not handed over", () => {
        const setup = new Setup();
        const qos2 = { qos: 2 } as const;
        setup.received.accepted(setup.take(1, "a", qos2));
        setup.connect(true);
        const other = setup.take(2, "b");
        assert.equal(setup.repeat(1, "a", qos2), undefined);
        assert.deepEqual(setup.left, []);
        setup.received.accepted(other);
        assert.deepEqual(setup.left, ["PUBACK 2", "PUBREC 1"]);
        setup.received.released(1);
        assert.ok(setup.repeat(1, "a", qos2));
    });

    it("takes a message of QoS 2 without DUP for new, although its id is noted", () => {
        const { received, take } = bound(new Setup());
        received.accepted(take(1, "a", { qos: 2 }));
        take(1, "a", { qos: 2 });
    });

    it("keeps only what a copy can be recognised by of messages that wait behind an unfinished one", async () => {
        const setup = new Setup();
        setup.take(1, "unfinished");
        const large = (id: number) => ({ ...message(id, "large"), payload: Buffer.alloc(100_000, id) });
        const before = usedBytes();
        for (let id = 2; id < 202; id++) {
            const reception = setup.received.received(large(id));
            assert.ok(reception);
            setup.received.accepted(reception);
        }
        await waitFor(() => usedBytes() - before < 2_000_000, "the payloads to be collected");
        setup.connect(true);
        assert.equal(setup.received.received({ ...large(77), duplicate: true }), undefined);
    });

    it("stays fast with as many unacknowledged messages as there are packet ids", () => {
        const setup = new Setup();
        const receptions = Array.from({ length: 65_535 }, (_, index) => setup.take(index + 1, "a"));
        setup.connect(true);
        for (let id = 1; id <= 65_535; id++) assert.equal(setup.repeat(id, "a"), undefined);
        for (const reception of receptions.reverse()) setup.received.accepted(reception);
        assert.equal(setup.left.length, 65_535);
        assert.deepEqual(setup.left.slice(0, 2), ["PUBACK 1", "PUBACK 2"]);
    });
});

/** The members of a setup that stays on its first connection. */
function bound(setup: Setup) {
    return {
        received: setup.received,
        left: setup.left,
        take: (...given: Parameters<Setup["take"]>) => setup.take(...given),
        repeat: (...given: Parameters<Setup["repeat"]>) => setup.repeat(...given),
    };
}

/** What can happen, as data. */
type Step =
    | ["send", qos: 1 | 2, text: string]
    | ["accept", choice: number]
    | ["release"]
    | ["reconnect", sessionPresent: boolean]
    | ["lose acknowledgements"]
    | ["repeat on the same connection", choice: number];

const steps = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant<"send">("send"), fc.constantFrom<1 | 2>(1, 2), fc.constantFrom("a", "b")) },
    { weight: 6, arbitrary: fc.tuple(fc.constant<"accept">("accept"), fc.nat(9)) },
    { weight: 2, arbitrary: fc.constant<Step>(["release"]) },
    { weight: 2, arbitrary: fc.tuple(fc.constant<"reconnect">("reconnect"), fc.constantFrom(true, true, true, false)) },
    { weight: 1, arbitrary: fc.constant<Step>(["lose acknowledgements"]) },
    { weight: 1, arbitrary: fc.tuple(fc.constant<"repeat on the same connection">("repeat on the same connection"), fc.nat(9)) },
);

/** One message of a server that keeps to the rules of MQTT. */
interface Sent {
    readonly message: AcknowledgedMessage;
    /** How often the client handed it over. */
    handOvers: number;
    /** Whether a copy may be handed over: an acknowledgement had left, and got lost on the way. */
    mayComeTwice: boolean;
    phase: "sent" | "released" | "done";
}

/** A server with a session that reuses packet ids as soon as it may, and the client under test. */
class World {
    readonly #received = new ReceivedMessages();
    readonly #sent: Sent[] = [];
    readonly #unfinished: { reception: Reception; sent: Sent }[] = [];
    /** In the order of reception on this connection, with what the client has to do about each. */
    #order: { sent: Sent; isReady: () => boolean; isLeft: boolean }[] = [];
    #isLosing = false;
    readonly #write: AcknowledgementWriter = (acknowledgement) => this.#left(acknowledgement);

    constructor() {
        this.#start(false);
    }

    perform(step: Step): void {
        switch (step[0]) {
            case "send":
                this.#send(step[1], step[2]);
                break;
            case "accept": {
                const [chosen] = this.#unfinished.splice(step[1] % Math.max(this.#unfinished.length, 1), 1);
                if (chosen) this.#received.accepted(chosen.reception);
                break;
            }
            case "release":
                this.#release();
                break;
            case "reconnect":
                this.#received.connectionEnded(this.#write);
                this.#start(step[1]);
                break;
            case "lose acknowledgements":
                this.#isLosing = true;
                break;
            case "repeat on the same connection": {
                const open = this.#order.filter(({ isLeft }) => !isLeft);
                const chosen = open[step[1] % Math.max(open.length, 1)];
                if (chosen) assert.equal(this.#received.received({ ...chosen.sent.message, duplicate: true }), undefined);
            }
        }
        this.#check();
    }

    #start(sessionPresent: boolean): void {
        this.#isLosing = false;
        this.#order = [];
        this.#received.connectionStarted(sessionPresent, this.#write);
        if (!sessionPresent) {
            this.#sent.length = 0;
            return;
        }
        for (const sent of this.#sent) if (sent.phase === "sent") this.#deliver(sent, true);
    }

    #send(qos: 1 | 2, text: string): void {
        const used = new Set(this.#sent.filter(({ phase }) => phase !== "done").map((sent) => sent.message.packetId));
        const packetId = [1, 2, 3, 4, 5, 6].find((id) => !used.has(id));
        if (packetId === undefined) return;
        const sent: Sent = { message: message(packetId, text, { qos }), handOvers: 0, mayComeTwice: false, phase: "sent" };
        this.#sent.push(sent);
        this.#deliver(sent, false);
    }

    #deliver(sent: Sent, duplicate: boolean): void {
        this.#order.push({ sent, isReady: () => !this.#unfinished.some((each) => each.sent === sent), isLeft: false });
        const reception = this.#received.received({ ...sent.message, duplicate });
        if (!reception) return;
        sent.handOvers += 1;
        this.#unfinished.push({ reception, sent });
    }

    #left({ packetId }: { packetId: number }): void {
        const next = this.#order.find(({ isLeft }) => !isLeft);
        assert.equal(next?.sent.message.packetId, packetId, "the order of reception");
        if (!next) return;
        next.isLeft = true;
        const { sent } = next;
        if (this.#isLosing) sent.mayComeTwice = sent.message.qos === 1;
        else sent.phase = sent.message.qos === 1 ? "done" : "released";
    }

    #release(): void {
        const sent = this.#sent.find(({ phase }) => phase === "released");
        if (!sent) return;
        sent.phase = "done";
        this.#received.released(sent.message.packetId);
    }

    #check(): void {
        for (const { handOvers, mayComeTwice } of this.#sent) assert.ok(handOvers === 1 || mayComeTwice, "each is handed over once");
        const next = this.#order.find(({ isLeft }) => !isLeft);
        assert.ok(!next?.isReady(), "nothing waits without a reason");
    }
}

describe("received messages of a server with a session", () => {
    it("messages are handed over once and acknowledged in order, whatever happens to the connection", () => {
        fc.assert(
            fc.property(fc.array(steps, { maxLength: 60 }), (script) => {
                const world = new World();
                for (const step of script) world.perform(step);
            }),
            { numRuns: 2000 },
        );
    });
});
