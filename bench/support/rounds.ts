/**
 * Measures each subject once a round, in alternating order, so that a slow minute of the machine does not hit one of them
 * alone. Resolves with the results of each subject in the order of the subjects.
 */
export async function inRounds<Of, Result>(
    subjects: readonly Of[],
    rounds: number,
    measure: (subject: Of) => Promise<Result>,
): Promise<Result[][]> {
    const results: Result[][] = subjects.map(() => []);
    const order = subjects.map((subject, index) => ({ subject, index }));
    for (let round = 0; round < rounds; round++) {
        for (const { subject, index } of order) results[index]?.push(await measure(subject));
        order.reverse();
    }
    return results;
}
