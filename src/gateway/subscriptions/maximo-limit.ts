import type { FilterLimit } from "../../routing/subscription-table";

/** Maximo allows fifty filters, one of which is that of the notifications. Only filters of one device type are ever joined because of it. */
export const maximoFilterLimit: FilterLimit = {
    maxFilters: 49,
    groupOf(filter) {
        const [root, , typeId] = filter.split("/");
        return root === "iot-2" && typeId !== undefined && typeId !== "+" ? typeId : undefined;
    },
};
