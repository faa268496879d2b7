/** What the panel shows, and how it comes about: no DOM, no React. */

import type { NotebookPanel } from '@jupyterlab/notebook';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Link, type LinkState, Refusal } from '../kernel/link.js';
import type {
  DeploymentState,
  ExampleRow,
  Failure,
  FilterState,
  ImageDetails,
  ImageRow,
  LogEntry,
  Questions
} from '../kernel/messages.js';
import { type CellState, figureOf, stateOf } from '../notebook/filterCell.js';
import type { INotebooks, IRunner } from '../tokens.js';

/** The parts of the panel. */
export const TABS = ['filters', 'images', 'deployments'] as const;

export type Tab = (typeof TABS)[number];

/** How many images are asked for at once. */
const PAGE = 50;

/** A filter of the notebook; `index` is that of its cell, -1 where it has none. */
export interface FilterRow {
  readonly name: string;
  readonly language: string;
  readonly index: number;
  readonly state: CellState;
  readonly filter: FilterState | null;
}

/** What was found. */
export interface Images {
  readonly text: string;
  readonly rows: readonly ImageRow[];
  readonly total: number;
  readonly problems: readonly Failure[];
}

/** One image, or why it cannot be shown. */
export interface Details {
  readonly reference: string;
  readonly image: ImageDetails | null;
}

/** The log of a deployment. */
export interface Log {
  readonly name: string;
  readonly lines: readonly LogEntry[];
}

/** The state of the panel. It asks the kernel of the current notebook, and only while `shown`. */
export class Hub {
  tab: Tab = 'filters';
  text = '';
  images: Images | null = null;
  details: Details | null = null;
  /** The examples that have the words that are searched for. */
  examples: readonly ExampleRow[] = [];
  deployments: readonly DeploymentState[] | null = null;
  log: Log | null = null;
  /** What went wrong last, until something else is done. */
  failure: Failure | null = null;
  /** The question that is under way. */
  asking: keyof Questions | null = null;
  isDisposed = false;

  private readonly signal = new Signal<this, void>(this);
  private link: Link | null = null;
  private was: LinkState = 'none';
  private visible = false;
  private serial = 0;
  private known: readonly ExampleRow[] | null = null;
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

  get state(): LinkState {
    return this.link?.state ?? 'none';
  }

  get busy(): boolean {
    return this.link?.busy ?? false;
  }

  get kernelVersion(): string {
    return this.link?.version ?? '';
  }

  /** The filters of the notebook's cells, the last cell of each name, then those that only the kernel has. */
  get filters(): readonly FilterRow[] {
    const { panel, link } = this;
    const rows = new Map<string, FilterRow>();
    for (const { cell, index } of panel === null ? [] : this.runner.filters(panel)) {
      const filter = link?.filter(cell.name) ?? null;
      const state = stateOf(cell, filter);
      const before = rows.get(cell.name);
      // Of several cells, the one that was built stands for the filter.
      if (before === undefined || before.state === 'unbuilt' || before.state === 'stale') {
        rows.set(cell.name, { name: cell.name, language: filter?.language ?? cell.language, index, state, filter });
      }
    }
    for (const filter of link?.filters ?? []) {
      if (!rows.has(filter.name)) {
        const state = filter.error === '' ? 'built' : 'failing';
        rows.set(filter.name, { name: filter.name, language: filter.language, index: -1, state, filter });
      }
    }
    return [...rows.values()];
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
    this.failure = null;
    this.refresh();
  }

  /** Search for images; the answer to the latest text counts. */
  async search(text: string): Promise<void> {
    this.text = text;
    const serial = ++this.serial;
    const page = await this.ask('images', { text, offset: 0, limit: PAGE });
    this.known ??= await this.ask('examples', {}, true);
    this.examples = matching(this.known ?? [], text);
    if (page !== null && serial === this.serial) {
      this.images = { text, rows: page.images, total: page.total, problems: page.problems };
      this.tell();
    }
  }

  /** The next images of the same search. */
  async more(): Promise<void> {
    const { images, serial } = this;
    if (images === null) {
      return;
    }
    const page = await this.ask('images', { text: images.text, offset: images.rows.length, limit: PAGE });
    if (page !== null && serial === this.serial) {
      this.images = { ...images, rows: [...images.rows, ...page.images], total: page.total };
      this.tell();
    }
  }

  /** Look at one image; null to go back to the list. */
  async open(reference: string | null): Promise<void> {
    this.details = reference === null ? null : { reference, image: null };
    this.tell();
    if (reference !== null) {
      const image = await this.ask('image', { reference });
      if (this.details?.reference === reference) {
        this.details = image === null ? null : { reference, image };
        this.tell();
      }
    }
  }

  /** Write a cell with an example. */
  async insertExample(name: string, language: string): Promise<void> {
    const { panel } = this;
    const source = await this.ask('example', { name, language });
    if (source !== null && panel !== null) {
      await this.runner.write(panel, source);
    }
  }

  /** Look at the log of a deployment, or close it where it is the one that is open. */
  async read(name: string): Promise<void> {
    if (this.log?.name === name) {
      this.log = null;
      this.tell();
      return;
    }
    const lines = await this.ask('log', { name });
    if (lines !== null) {
      this.log = { name, lines };
      this.tell();
    }
  }

  async undeploy(name: string): Promise<void> {
    if (this.log?.name === name) {
      this.log = null;
    }
    this.take(await this.ask('undeploy', { name }));
  }

  /** Load the magics into the kernel of the notebook. */
  async load(): Promise<void> {
    if (this.panel !== null) {
      await this.runner.load(this.panel);
    }
  }

  /** Ask anew for what is shown. */
  refresh(): void {
    clearTimeout(this.timer);
    if (this.visible && this.state === 'ready') {
      if (this.tab === 'images') {
        void this.search(this.text);
      } else if (this.tab === 'deployments') {
        void this.poll();
      }
    }
    this.tell();
  }

  dispose(): void {
    this.isDisposed = true;
    clearTimeout(this.timer);
    this.notebooks.changed.disconnect(this.follow, this);
    Signal.clearData(this);
  }

  /** Deployments tell themselves anew as long as somebody looks; a busy kernel is not asked twice. */
  private async poll(): Promise<void> {
    clearTimeout(this.timer);
    if (this.asking === null && !this.busy) {
      const found = await this.ask('deployments', {}, true);
      if (found !== null) {
        this.deployments = found;
      }
      const name = this.log?.name;
      if (name !== undefined && found !== null) {
        const lines = found.some(each => each.name === name) ? await this.ask('log', { name }, true) : null;
        this.log = lines === null ? null : { name, lines };
      }
      this.tell();
    }
    if (this.visible && this.tab === 'deployments' && this.state === 'ready') {
      this.timer = setTimeout(() => void this.poll(), this.refreshMs());
    }
  }

  private take(found: readonly DeploymentState[] | null): void {
    if (found !== null) {
      this.deployments = found;
    }
    this.refresh();
  }

  private async ask<Name extends keyof Questions>(
    name: Name,
    given: Questions[Name]['given'],
    quiet = false
  ): Promise<Questions[Name]['answer'] | null> {
    const { link } = this;
    if (link === null || link.state !== 'ready') {
      return null;
    }
    if (!quiet) {
      this.asking = name;
      this.failure = null;
      this.tell();
    }
    try {
      return await link.ask(name, given);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      if (link === this.link && link.state === 'ready') {
        this.failure = error.failure;
      }
      return null;
    } finally {
      if (this.asking === name) {
        this.asking = null;
      }
      this.tell();
    }
  }

  private follow(): void {
    const { panel } = this;
    const link = panel === null ? null : this.notebooks.link(panel);
    if (link !== this.link || this.state !== this.was) {
      this.link = link;
      this.was = this.state;
      this.images = this.details = this.deployments = this.log = this.failure = this.asking = null;
      this.serial++;
      this.refresh();
    } else if (this.pushed !== this.pushes()) {
      this.pushed = this.pushes();
      this.refresh();
    } else {
      this.tell();
    }
  }

  /** What was published last by each filter. */
  private pushes(): string {
    return (this.link?.filters ?? []).map(each => figureOf(each, 'push')?.text ?? '').join('\n');
  }

  private tell(): void {
    this.signal.emit();
  }
}

function matching(examples: readonly ExampleRow[], text: string): ExampleRow[] {
  const words = text.toLowerCase().split(/\s+/);
  return examples.filter(each => {
    const all = [each.name, each.title, each.description, ...each.languages].join(' ').toLowerCase();
    return words.every(word => all.includes(word));
  });
}
