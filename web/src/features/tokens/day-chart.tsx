import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { DayUse } from "../../fleet/use";
import { dollars, short } from "../../words/figures";

export type Measure = "cost" | "tokens";

const HEIGHT = 220;
const MONTH_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

interface DayChartProps {
  readonly days: readonly DayUse[];
  readonly measure: Measure;
  /** It is drawn again when the lights go on or off. */
  readonly night: boolean;
}

/** A bar for each day. The table below it says the same. */
export function DayChart({ days, measure, night }: DayChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);

  useEffect(() => {
    const element = place.current;
    if (!element) {
      return undefined;
    }
    const drawn = new uPlot(options(element, measure), aligned(days, measure), element);
    plot.current = drawn;
    const observer = new ResizeObserver(() =>
      drawn.setSize({ width: Math.max(200, element.clientWidth), height: HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [measure, night]);

  useEffect(() => plot.current?.setData(aligned(days, measure)), [days, measure]);

  return <div class="day-chart" ref={place} />;
}

function aligned(days: readonly DayUse[], measure: Measure): uPlot.AlignedData {
  return [days.map(({ day }) => Date.parse(`${day}T00:00:00Z`) / 1000), days.map((day) => day[measure])];
}

function options(element: HTMLElement, measure: Measure): uPlot.Options {
  const style = getComputedStyle(element);
  const [ink, line] = [style.color, resolved(element, "--line")];
  const word = (value: number) => (measure === "cost" ? dollars(value) : short(value));
  const axis = { stroke: ink, font: `12px ${style.fontFamily}`, grid: { stroke: line, width: 1 } };
  const bars = uPlot.paths.bars?.({ size: [0.62, 46] });
  return {
    width: Math.max(200, element.clientWidth),
    height: HEIGHT,
    padding: [12, 10, 0, 4],
    cursor: { drag: { x: false, y: false }, points: { show: false } },
    legend: { show: true },
    // Where no day is pointed at, the last one is told of.
    hooks: { ready: [tellLast], setData: [tellLast], setCursor: [tellLast] },
    scales: {
      x: { time: false, range: (_, min, max) => [min - 43_200, max + 43_200] },
      y: { range: fromNull },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        ticks: { show: false },
        size: 30,
        splits: (self, _, min, max) => mornings(min, max, Math.max(2, Math.floor(self.width / 80))),
        values: (_, moments) => moments.map((moment) => MONTH_DAY.format(moment * 1000)),
      },
      { ...axis, ticks: { show: false }, size: 64, values: (_, values) => values.map(word) },
    ],
    series: [
      { label: "Day", value: (_, moment) => (moment === null ? "–" : MONTH_DAY.format(moment * 1000)) },
      {
        label: measure === "cost" ? "Cost" : "Tokens",
        stroke: resolved(element, "--outside"),
        width: 1.5,
        fill: resolved(element, "--button"),
        ...(bars && { paths: bars }),
        points: { show: false },
        value: (_, value) => (value === null ? "–" : word(value)),
      },
    ],
  };
}

function tellLast(plot: uPlot): void {
  const last = plot.data[0].length - 1;
  if (last >= 0 && (plot.cursor.idx ?? null) === null && plot.legend.idx !== last) {
    plot.setLegend({ idx: last });
  }
}

/** A custom property as the colour that it comes to by day or night. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** As many days as have room for their names. */
function mornings(min: number, max: number, most: number): number[] {
  const first = Math.ceil(min / 86_400);
  const last = Math.floor(max / 86_400);
  const step = Math.max(1, Math.ceil((last - first + 1) / most));
  const days: number[] = [];
  for (let day = last; day >= first; day -= step) {
    days.unshift(day * 86_400);
  }
  return days;
}

function fromNull(_: uPlot, __: number, max: number): [number, number] {
  return [0, max > 0 ? max * 1.1 : 1];
}
