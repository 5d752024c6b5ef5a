import type { Clock } from "../../clock";
import type { ConnectionQuota } from "./connection-quota";
import type { DeviceTable } from "./device-table";
import type { HeldDevices } from "./held-devices";
import type { HoldPolicy } from "./hold-policy";
import type { PendingDevice } from "./pending-device";
import type { RegistrationQueue } from "./registration-queue";
import type { RegistrationListener } from "./registration-types";

/** What the parts of a registration share. */
export interface RegistrationParts {
    readonly clock: Clock;
    readonly listener: RegistrationListener;
    readonly table: DeviceTable;
    readonly queue: RegistrationQueue;
    readonly quota: ConnectionQuota;
    readonly policy: HoldPolicy;
    readonly held: HeldDevices<PendingDevice>;
}
