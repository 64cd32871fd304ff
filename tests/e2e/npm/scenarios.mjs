// Runs scenarios one after the other; prints a line of JSON for each: its name, and what was thrown or null.

import { deepStrictEqual } from "node:assert";

export const [url, descriptors] = process.argv.slice(2);

export const same = deepStrictEqual;

export async function refused(promise, matches) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    if (matches(error)) return;
    throw error;
  }
  throw new Error(`nothing was refused, but answered: ${JSON.stringify(answer)}`);
}

export async function run(scenarios) {
  for (const [scenario, play] of Object.entries(scenarios)) {
    const error = await play(scenario).then(
      () => null,
      (reason) => String(reason?.stack ?? reason),
    );
    console.log(JSON.stringify({ scenario, error }));
  }
}
