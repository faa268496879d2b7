/** What the panel shows, and how it comes about: no DOM, no React. */

import type { NotebookPanel } from '@jupyterlab/notebook';
import { type ISignal, Signal } from '@lumino/signaling';

import type { LinkState } from '../kernel/link.js';
import { figureOf } from '../notebook/filterCell.js';
import type { INotebooks, IRunner } from '../tokens.js';
import { Client } from './client.js';
import { Deployments } from './deployments.js';
import { type FilterRow, filterRows } from './filters.js';
import { Images } from './images.js';

/** The parts of the panel. */
export const TABS = ['filters', 'images', 'deployments'] as const;

export type Tab = (typeof TABS)[number];

/** The state of the panel. It asks the kernel of the current notebook, and only while `shown`. */
export class Hub {
  tab: Tab = 'filters';
  isDisposed = false;
  readonly client = new Client(() => this.signal.emit());
  readonly images = new Images(this.client);
  readonly deployments = new Deployments(this.client);

  private readonly signal = new Signal<this, void>(this);
  private was: LinkState = 'none';
  private visible = false;
  private pushed = '';
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly notebooks: INotebooks,
    private readonly runner: IRunner,
    private readonly refreshMs: () => number
  ) {
    notebooks.changed.connect(this.follow, this);
    this.follow();
  }

  get stateChanged(): ISignal<this, void> {
    return this.signal;
  }

  /** The notebook that the panel is about. */
  get panel(): NotebookPanel | null {
    return this.notebooks.current;
  }

  get filters(): readonly FilterRow[] {
    const { panel } = this;
    return filterRows(panel === null ? [] : this.runner.filters(panel), this.client.link);
  }

  /** Tell whether anybody looks. */
  show(visible: boolean): void {
    this.visible = visible;
    if (visible) {
      this.refresh();
    } else {
      clearTimeout(this.timer);
    }
  }

  choose(tab: Tab): void {
    this.tab = tab;
    this.client.failure = null;
    this.refresh();
  }

  /** Write a cell with an example. */
  async insertExample(name: string, language: string): Promise<void> {
    const { panel } = this;
    const source = await this.images.example(name, language);
    if (source !== null && panel !== null) {
      await this.runner.write(panel, source);
    }
  }

  /** Load the magics into the kernel of the notebook. */
  async load(): Promise<void> {
    if (this.panel !== null) {
      await this.runner.load(this.panel);
    }
  }

  dispose(): void {
    this.isDisposed = true;
    clearTimeout(this.timer);
    this.notebooks.changed.disconnect(this.follow, this);
    Signal.clearData(this);
  }

  /** Ask anew for what is shown. */
  private refresh(): void {
    clearTimeout(this.timer);
    if (this.visible && this.client.state === 'ready') {
      if (this.tab === 'images') {
        void this.images.search(this.images.text);
      } else if (this.tab === 'deployments') {
        void this.watch();
      }
    }
    this.client.tell();
  }

  /** Deployments are asked for anew as long as somebody looks. */
  private async watch(): Promise<void> {
    clearTimeout(this.timer);
    await this.deployments.poll();
    clearTimeout(this.timer);
    if (this.visible && this.tab === 'deployments' && this.client.state === 'ready') {
      this.timer = setTimeout(() => void this.watch(), this.refreshMs());
    }
  }

  private follow(): void {
    const { panel, client } = this;
    const link = panel === null ? null : this.notebooks.link(panel);
    const pushed = (link?.filters ?? []).map(each => figureOf(each, 'push')?.text ?? '').join('\n');
    if (link !== client.link || client.state !== this.was) {
      client.follow(link);
      this.was = client.state;
      this.pushed = pushed;
      this.images.forget();
      this.deployments.forget();
      this.refresh();
    } else if (this.pushed !== pushed) {
      this.pushed = pushed;
      this.refresh();
    } else {
      client.tell();
    }
  }
}
