// What the drivers on Node share; telling.py says what a driver prints.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

export const plan = JSON.parse(readFileSync(0, 'utf8'));

/** Loads modules of the packages that scripts/node-tools installed. */
export const load = createRequire(join(plan.packages, 'package.json'));

export function versionOf(name) {
  return JSON.parse(readFileSync(join(plan.packages, 'node_modules', name, 'package.json'), 'utf8')).version;
}

export function tell(operation, said) {
  console.log(JSON.stringify({ operation, ...said }));
}

/** Does all operations; when one goes wrong, the others are done all the same. */
export async function perform(driver) {
  for (const operation of plan.operations) {
    try {
      tell(operation, { seen: await within(driver[operation]()) });
    } catch (error) {
      tell(operation, { error: String(error) });
    }
  }
}

function within(result) {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${plan.deadline_s} s`)), plan.deadline_s * 1000);
  });
  return Promise.race([result, deadline]).finally(() => clearTimeout(timer));
}

/** The operations that are spelt alike in both clients. */
export class Driver {
  constructor(client) {
    this.client = client;
    this.updates = [];
    this.wake = () => {};
  }

  take(notification) {
    this.updates.push(notification.params.uri);
    this.wake();
  }

  async nextUpdate() {
    tell('subscribe', { ready: true });
    while (this.updates.length === 0) await new Promise((resolve) => (this.wake = resolve));
    return this.updates.shift();
  }

  async read() {
    const results = [];
    for (const uri of plan.asks.read) results.push(await this.client.readResource({ uri }));
    return results;
  }

  async errors() {
    try {
      return await this.client.readResource({ uri: plan.asks.missing });
    } catch (error) {
      return { error: error.message };
    }
  }

  complete() {
    const { template, argument, context } = plan.asks.complete;
    return this.client.complete({ ref: { type: 'ref/resource', uri: template }, argument, context: { arguments: context } });
  }

  async prompts() {
    const listed = await this.client.listPrompts();
    return { listed, filled: await this.client.getPrompt(plan.asks.prompts) };
  }

  async search() {
    const tools = await this.client.listTools();
    const found = await this.client.callTool({ name: 'search', arguments: plan.asks.search });
    const { uri } = found.structuredContent.results[0];
    return { tools, found, read: await this.client.callTool({ name: 'read', arguments: { uri } }) };
  }
}
