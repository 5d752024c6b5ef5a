import assert from "node:assert/strict";
import { startEjabberd } from "../support/drivers/ejabberd";
import { commandSubscriber } from "../support/drivers/recorded-gateway";
import { waitFor } from "../support/wait-for";
import { applicationUser, gatewayUser, TestBed } from "./support/test-bed";

const defaultTopicDepth = 8;

if (process.env.BROKERS?.split(",").includes("ejabberd")) {
    describe("ejabberd with its default limit of topics", () => {
        it("refuses the filters of the platform, and the nodes report it", async () => {
            const broker = await startEjabberd([gatewayUser, applicationUser], defaultTopicDepth);
            const bed = new TestBed(broker, "deep", 10);
            try {
                const { gateway, line } = await bed.gateway({ clock: bed.clock });
                const rejections: string[] = [];
                const rejectionChanged = (error?: { readonly code: string }) => error && rejections.push(error.code);
                const selection = { target: "device", parts: { typeId: "t" } } as const;
                gateway.gateway.onCommand(commandSubscriber(() => undefined, { selection, rejectionChanged }));
                await waitFor(() => rejections.length > 0, "the node to report it");
                assert.deepEqual([rejections, line.accepted], [["GW_SUBSCRIBE_REFUSED"], 1]);
            } finally {
                await bed.close();
                await broker.stop();
            }
        });
    });
}
