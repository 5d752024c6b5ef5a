import assert from "node:assert/strict";
import type { RunningBroker } from "../support/drivers/broker-process";
import { brokerKinds, brokerNames, isBrokerName } from "./support/broker-kinds";
import { cases } from "./support/cases";
import { brokersSection, writeSection, writtenSection } from "./support/document";
import { expectations, expected, isExpected } from "./support/expectations";
import { applicationUser, gatewayUser, TestBed } from "./support/test-bed";

const quickest = "mosquitto,aedes";
const names = (process.env.BROKERS ?? quickest).split(",").filter(isBrokerName);
let passed = 0;

for (const name of names) {
    const { title, start, pace } = brokerKinds[name];

    describe(`the gateway with ${title}`, () => {
        let broker: RunningBroker;

        before(async () => {
            broker = await start([gatewayUser, applicationUser]);
        });

        after(() => broker.stop());

        for (const [index, { name: what, observe }] of cases.entries()) {
            it(`${what}: ${expected(name, what)}`, async () => {
                const bed = new TestBed(broker, `case${index}`, pace);
                try {
                    const observed = await observe(bed);
                    assert.ok(isExpected(name, what, observed), `it ${observed}`);
                    passed++;
                } finally {
                    await bed.close();
                }
            });
        }
    });
}

describe("docs/brokers.md", () => {
    it("docs/brokers.md shows what the brokers are tested for", () => {
        assert.deepEqual(
            cases.map((one) => one.name),
            Object.keys(expectations),
        );
        if (passed === cases.length * brokerNames.length) writeSection();
        assert.equal(writtenSection(), brokersSection());
    });
});
