/** Deployments as their proxies tell them, with the logs and versions that are being looked at. */

import type { DeploymentName, DeploymentState, Questions } from '../kernel/messages.js';
import type { Client } from './client.js';

/** What can be open below a deployment. */
export type Part = 'log' | 'versions';

/** What is open below a deployment; null where it is closed. */
export type Opened = { readonly [P in Part]: Questions[P]['answer'] | null };

/** What names a deployment among all others. */
export function keyOf({ target, name }: DeploymentName): string {
  return `${target} ${name}`;
}

/** Asks for deployments, and for what is open of them. */
export class Deployments {
  rows: readonly DeploymentState[] | null = null;

  private opened = new Map<string, Opened>();

  constructor(private readonly client: Client) {}

  forget(): void {
    this.rows = null;
    this.opened.clear();
  }

  /** What is open below a deployment. */
  below(deployment: DeploymentName): Opened {
    return this.opened.get(keyOf(deployment)) ?? { log: null, versions: null };
  }

  /** Open the log or the versions of a deployment, or close them. */
  async toggle(part: Part, deployment: DeploymentName): Promise<void> {
    const opened = this.below(deployment);
    const told = opened[part] === null ? await this.read(part, deployment) : null;
    this.opened.set(keyOf(deployment), { ...this.below(deployment), [part]: told });
    this.client.tell();
  }

  async undeploy(deployment: DeploymentName): Promise<void> {
    this.take(await this.client.ask('undeploy', nameOf(deployment)));
  }

  /** Bring an earlier version back, as a new one. */
  async rollback(deployment: DeploymentName, to: number): Promise<void> {
    this.take(await this.client.ask('rollback', { ...nameOf(deployment), to }));
    await this.update();
  }

  /** Ask for all that is shown, once more. A busy kernel is not asked, and nothing while somebody else asks. */
  async poll(): Promise<void> {
    if (this.client.asking === null && !this.client.busy) {
      this.take(await this.client.ask('deployments', {}, true));
      await this.update();
    }
  }

  /** Ask anew for what is open. */
  private async update(): Promise<void> {
    for (const deployment of this.rows ?? []) {
      const { log, versions } = this.below(deployment);
      const told: Opened = {
        log: log && (await this.read('log', deployment, true)),
        versions: versions && (await this.read('versions', deployment, true))
      };
      // It may have been opened or closed meanwhile.
      const now = this.below(deployment);
      this.opened.set(keyOf(deployment), {
        log: now.log && (told.log ?? now.log),
        versions: now.versions && (told.versions ?? now.versions)
      });
    }
    this.client.tell();
  }

  private read<P extends Part>(part: P, of: DeploymentName, quiet = false): Promise<Questions[P]['answer'] | null> {
    return this.client.ask(part, nameOf(of), quiet);
  }

  private take(found: readonly DeploymentState[] | null): void {
    if (found !== null) {
      this.rows = found;
      const there = new Set(found.map(keyOf));
      this.opened = new Map([...this.opened].filter(([key]) => there.has(key)));
      this.client.tell();
    }
  }
}

function nameOf({ name, target }: DeploymentName): DeploymentName {
  return { name, target };
}
