// Whether somebody looks at the panel: its tab is the one that the sidebar shows, and the page is not behind another one.

/** Calls `changed` with `true` when somebody begins to look, and with `false` when nobody does any more. */
export function onPresence(content, changed) {
    let isOnScreen = false;
    let isLooking = false;
    const look = () => {
        const now = isOnScreen && !document.hidden;
        if (now === isLooking) return;
        isLooking = now;
        changed(now);
    };
    new IntersectionObserver((entries) => {
        // Several changes may be told at once, the last one counts.
        isOnScreen = entries.at(-1).isIntersecting;
        look();
    }).observe(content);
    document.addEventListener("visibilitychange", look);
}
