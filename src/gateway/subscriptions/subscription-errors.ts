import { GatewayError } from "../../errors";
import { translate } from "../../i18n";

/** The server closes the connection after this filter. */
export function closingFilterError(filter: string): GatewayError {
    return new GatewayError("GW_SUBSCRIBE_REFUSED", translate("gateway.closingFilter", { filter }));
}

/** A refusal of a subscription in the words of a node. */
export function subscriptionRejectedError(filter: string, cause: GatewayError): GatewayError {
    return cause.code === "GW_SUBSCRIBE_REFUSED"
        ? cause
        : new GatewayError("GW_SUBSCRIBE_REFUSED", translate("gateway.subscriptionRefused", { filter, reason: cause.message }), { cause });
}
