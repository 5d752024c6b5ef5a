import { speak } from "../i18n";
import type { NodeAPI } from "./api";

const skipInterpolation = { skipInterpolation: true } as object as Record<string, string>;

/** Lets the package say everything in the language of this Node-RED, from the catalogues of the node type that `RED` belongs to. */
export function speakLanguageOf(RED: NodeAPI): void {
    // The texts are filled in by us: i18next would also look for its own marks in what a device or the platform wrote.
    speak((key) => RED._(key, skipInterpolation));
}
