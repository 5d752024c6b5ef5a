import type { Answer, AnswerMessage, Argument, RequestMessage, RequestName } from "./requests";

const handlers = new Map<RequestName, (argument: never) => Promise<unknown>>();

/** Says how this process answers a request; the latest one counts, so that a node may be deployed again. */
export function serve<Name extends RequestName>(name: Name, handler: (argument: Argument<Name>) => Promise<Answer<Name>>): void {
    if (handlers.size === 0) listen();
    handlers.set(name, handler);
}

function listen(): void {
    process.on("message", (message: RequestMessage) => {
        answer(message).then(
            (result) => reply({ id: message.id, answer: result }),
            (thrown: unknown) => reply({ id: message.id, error: String(thrown) }),
        );
    });
}

async function answer({ name, argument }: RequestMessage): Promise<unknown> {
    const handler = handlers.get(name);
    if (!handler) throw new Error(`This process does not answer ${name}.`);
    // Both ends are compiled together; the argument has the type of its name.
    return handler(argument as never);
}

function reply(message: AnswerMessage): void {
    process.send?.(message);
}
