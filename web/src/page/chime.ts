/** A short sound, made here: two notes that go up for a question, down for something grave. */

const NOTES = { warning: [660, 880], critical: [520, 390] } as const;

let context: AudioContext | null = null;

export function chime(level: keyof typeof NOTES): void {
  context ??= new AudioContext();
  for (const [place, frequency] of NOTES[level].entries()) {
    const begin = context.currentTime + place * 0.14;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.type = "square";
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0.05, begin);
    volume.gain.exponentialRampToValueAtTime(0.001, begin + 0.13);
    tone.connect(volume).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + 0.14);
  }
}
