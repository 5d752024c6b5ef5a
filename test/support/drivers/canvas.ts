import type { EditorPage } from "./editor-page";

/** A rectangle of the canvas, in its own coordinates. */
interface Box {
    readonly what: string;
    readonly left: number;
    readonly top: number;
    readonly right: number;
    readonly bottom: number;
    /** The id of the group it is in. */
    readonly group?: string;
}

interface DrawnNode {
    readonly id: string;
    readonly type: string;
    readonly name?: string;
    readonly z: string;
    readonly g?: string;
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
}

interface Wire {
    readonly source: DrawnNode;
    readonly target: DrawnNode;
}

// What the function that runs in the page uses of the editor.
declare const RED: {
    readonly workspaces: { active(): string };
    readonly nodes: {
        filterNodes(filter: object): DrawnNode[];
        groups(flow: string): DrawnNode[];
        eachLink(visit: (wire: Wire) => void): void;
    };
};

/** What the flow that is shown looks like: its nodes with the statuses below them, and its groups. */
async function drawn(
    editor: EditorPage,
): Promise<{ nodes: Box[]; statuses: Box[]; groups: (Box & { id: string })[]; backwards: string[] }> {
    return editor.page.evaluate(() => {
        const flow = RED.workspaces.active();
        const what = (node: DrawnNode) => node.name || `${node.type} ${node.id}`;
        const nodes = RED.nodes.filterNodes({ z: flow }).map((node) => ({
            what: what(node),
            left: node.x - node.w / 2,
            right: node.x + node.w / 2,
            top: node.y - node.h / 2,
            bottom: node.y + node.h / 2,
            group: node.g ?? "",
        }));
        const statuses = RED.nodes.filterNodes({ z: flow }).flatMap((node) => {
            const label = document.getElementById(node.id)?.querySelector<SVGGraphicsElement>(".red-ui-flow-node-status-label");
            if (!label?.textContent) return [];
            const left = node.x - node.w / 2;
            const top = node.y + node.h / 2;
            return [{ what: `status of ${what(node)}`, left, top, right: left + 15 + label.getBBox().width, bottom: top + 18 }];
        });
        const groups = RED.nodes.groups(flow).map((group) => ({
            what: group.name ?? "",
            id: group.id,
            left: group.x,
            top: group.y,
            right: group.x + group.w,
            bottom: group.y + group.h,
        }));
        const backwards: string[] = [];
        RED.nodes.eachLink(({ source, target }) => {
            if (source.z !== flow || target.x - target.w / 2 >= source.x + source.w / 2 + 15) return;
            backwards.push(`the wire from ${what(source)} to ${what(target)} runs backwards`);
        });
        return { nodes, statuses, groups, backwards };
    });
}

function overlap(a: Box, b: Box): boolean {
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function contains(outer: Box, inner: Box): boolean {
    return outer.left <= inner.left && outer.right >= inner.right && outer.top <= inner.top && outer.bottom >= inner.bottom;
}

/** What a reader of the flow that is shown would stumble over: one sentence each. */
export async function layoutFaults(editor: EditorPage): Promise<string[]> {
    const { nodes, statuses, groups, backwards } = await drawn(editor);
    const faults = [...backwards];
    const solid = [...nodes, ...statuses];
    for (const [index, box] of solid.entries()) {
        for (const other of solid.slice(index + 1)) if (overlap(box, other)) faults.push(`${box.what} overlaps ${other.what}`);
    }
    for (const [index, group] of groups.entries()) {
        for (const other of groups.slice(index + 1)) if (overlap(group, other)) faults.push(`${group.what} overlaps ${other.what}`);
        for (const node of nodes) {
            if (node.group === group.id && !contains(group, node)) faults.push(`${node.what} sticks out of ${group.what}`);
            if (node.group !== group.id && overlap(group, node)) faults.push(`${node.what} lies in ${group.what} by mistake`);
        }
    }
    return faults;
}

/** The size of what is drawn in the flow that is shown, with a margin. */
export async function drawnSize(editor: EditorPage): Promise<{ width: number; height: number }> {
    const { nodes, groups } = await drawn(editor);
    const boxes = [...nodes, ...groups];
    return { width: Math.max(...boxes.map(({ right }) => right)) + 20, height: Math.max(...boxes.map(({ bottom }) => bottom)) + 20 };
}
