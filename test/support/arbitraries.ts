import fc from "fast-check";

/** Any legal type, device or organisation id. */
export const anyId = fc.stringMatching(/^[A-Za-z0-9_.-]{1,36}$/);

/** Any legal topic level: event id, command id or format. */
export const anyLevel = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
    .filter((text) => !/[\u0000-\u001f/+#\p{Noncharacter_Code_Point}\p{Surrogate}]/u.test(text));

/** Any device. */
export const anyDevice = fc.record({ typeId: anyId, deviceId: anyId });
