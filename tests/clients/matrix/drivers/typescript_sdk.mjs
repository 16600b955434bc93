// @modelcontextprotocol/sdk: the official TypeScript SDK, 1.x.

import { Driver, load, perform, plan, tell, versionOf } from './telling.mjs';

const NAME = '@modelcontextprotocol/sdk';
const { Client } = load(`${NAME}/client/index.js`);
const { StreamableHTTPClientTransport } = load(`${NAME}/client/streamableHttp.js`);
const { StdioClientTransport } = load(`${NAME}/client/stdio.js`);
const { ResourceUpdatedNotificationSchema, SUPPORTED_PROTOCOL_VERSIONS } = load(`${NAME}/types.js`);

class Driver1 extends Driver {
  connect() {
    return { revision: revision, version: versionOf(NAME) };
  }

  async list() {
    const resources = [];
    let cursor;
    do {
      const page = await this.client.listResources(cursor === undefined ? {} : { cursor });
      resources.push(...page.resources);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return { resources, templates: await this.client.listResourceTemplates() };
  }

  async subscribe() {
    const uri = plan.asks.subscribe;
    this.client.setNotificationHandler(ResourceUpdatedNotificationSchema, (update) => this.take(update));
    await this.client.subscribeResource({ uri });
    const told = await this.nextUpdate();
    return { uri: told, read: await this.client.readResource({ uri }) };
  }
}

if (plan.era === 'modern') {
  if (SUPPORTED_PROTOCOL_VERSIONS.some((revision) => revision >= '2026')) throw new Error('it speaks the modern era');
  for (const operation of plan.operations) tell(operation, { absent: `it speaks ${SUPPORTED_PROTOCOL_VERSIONS.join(', ')}` });
  process.exit();
}
const client = new Client({ name: 'matrix', version: '1' });
const transport = plan.url
  ? new StreamableHTTPClientTransport(new URL(plan.url))
  : new StdioClientTransport({ ...plan.stdio, stderr: 'inherit' });
// The client itself tells nobody but the transport what was agreed on.
const tellTransport = transport.setProtocolVersion?.bind(transport);
let revision;
transport.setProtocolVersion = (agreed) => {
  revision = agreed;
  tellTransport?.(agreed);
};
await client.connect(transport);
await perform(new Driver1(client));
await client.close();
