/**
 * The options of every TCP connection to a server or a web proxy. Of several addresses of a host each but the last gets this much time to
 * answer. Node.js gives 250 ms, which is too short for mobile and satellite links; 5 s leave room for two repetitions of a lost SYN.
 */
export const socketOptions = { noDelay: true, keepAlive: true, autoSelectFamilyAttemptTimeout: 5_000 } as const;
