/** Why a connection was closed: the codes and texts of the platform's log. They are not on the wire. */
export const closeReasons = {
    0: "The connection has completed normally.",
    91: "The connection was closed by the client.",
    92: "The connection was closed by the server.",
    105: "The data is not valid.",
    154: "There are too many subscriptions.",
    160: "The connection has timed out.",
    164: "No data was received on a connection.",
    166: "The ClientID is not valid.",
    180: "The operation is not authorized.",
    271: "The length of the message is not correct.",
    276: "The topic is not valid.",
    287: "The message size is too large for this endpoint.",
    288: "The client ID was reused.",
    289: "The topic cannot be used because it is a system topic.",
} as const;

/** One of the codes. */
export type CloseCode = keyof typeof closeReasons;
