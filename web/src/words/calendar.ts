/** The day as a management game counts it: month, week of the month, and day. */

export interface CalendarDay {
  readonly month: number;
  /** Of the month, from 1. */
  readonly week: number;
  readonly weekday: string;
  /** Of the month. */
  readonly day: number;
  readonly date: string;
}

/** Weeks begin on Monday; the first is the one in which the month begins. */
export function calendarDay(moment: number): CalendarDay {
  const day = new Date(moment);
  const first = new Date(day.getFullYear(), day.getMonth(), 1);
  const offset = (first.getDay() + 6) % 7;
  return {
    month: day.getMonth() + 1,
    week: Math.floor((day.getDate() - 1 + offset) / 7) + 1,
    weekday: day.toLocaleDateString("en-GB", { weekday: "short" }),
    day: day.getDate(),
    date: day.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" }),
  };
}

/** The day as the server writes it: `2026-11-23`. */
export function dayName(moment: number): string {
  const day = new Date(moment);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}
