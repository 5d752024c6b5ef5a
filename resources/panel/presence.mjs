// Whether the panel is visible: the sidebar shows its tab, and the page is not in the background.

/** Calls `changed` with `true` when the panel becomes visible, and with `false` when it becomes hidden. */
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
        // One callback may report several changes; the last one counts.
        isOnScreen = entries.at(-1).isIntersecting;
        look();
    }).observe(content);
    document.addEventListener("visibilitychange", look);
}
