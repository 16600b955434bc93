// @modelcontextprotocol/client: the client of the official TypeScript SDK, 2.x.

import { Driver, load, perform, plan, versionOf } from './telling.mjs';

const NAME = '@modelcontextprotocol/client';
const { Client, StreamableHTTPClientTransport } = load(NAME);
const { StdioClientTransport } = load(`${NAME}/stdio`);

const MODES = { modern: 'auto', handshake: 'legacy' };

class Driver2 extends Driver {
  connect() {
    return { revision: this.client.getNegotiatedProtocolVersion(), version: versionOf(NAME) };
  }

  async list() {
    const { resources } = await this.client.listResources();
    return { resources, templates: await this.client.listResourceTemplates() };
  }

  async subscribe() {
    const uri = plan.asks.subscribe;
    // What the client keeps of this read has to be gone after the edit.
    await this.client.readResource({ uri });
    this.client.setNotificationHandler('notifications/resources/updated', (update) => this.take(update));
    const subscription =
      plan.era === 'modern' ? await this.client.listen({ resourceSubscriptions: [uri] }) : await this.client.subscribeResource({ uri });
    const told = await this.nextUpdate();
    if (plan.era === 'modern') await subscription.close();
    return { uri: told, read: await this.client.readResource({ uri }) };
  }
}

const client = new Client({ name: 'matrix', version: '1' }, { versionNegotiation: { mode: MODES[plan.era] } });
const transport = plan.url
  ? new StreamableHTTPClientTransport(new URL(plan.url))
  : new StdioClientTransport({ ...plan.stdio, stderr: 'inherit' });
await client.connect(transport);
await perform(new Driver2(client));
await client.close();
