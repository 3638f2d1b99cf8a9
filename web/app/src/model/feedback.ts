// The answer to ear and hand: one sound and one buzz for each thing a scan can be, so that nobody has to look.

import { settings } from './settings'

export type Answer = 'known' | 'unknown' | 'notOnList' | 'elsewhere' | 'failed'

/** Pitches in hertz, one after the other; rising is good, falling is not. */
const SOUNDS: Record<Answer, number[]> = {
  known: [1318],
  notOnList: [1318, 988],
  elsewhere: [988, 988, 1318],
  unknown: [440, 330],
  failed: [196, 196, 196],
}
/** Buzzes and pauses in milliseconds. */
const BUZZES: Record<Answer, number[]> = {
  known: [25],
  notOnList: [25, 60, 25],
  elsewhere: [25, 60, 25, 60, 25],
  unknown: [160],
  failed: [160, 80, 160],
}
const NOTE_S = 0.07
const LOUDNESS = 0.18

let context: AudioContext | null = null

export function feedback(answer: Answer): void {
  if (settings.vibration) navigator.vibrate?.(BUZZES[answer])
  if (settings.sound) play(SOUNDS[answer])
}

/** Browsers let a page sound once a key was pressed in it: a scanner's keys are enough. */
function play(pitches: number[]): void {
  try {
    context ??= new AudioContext()
    if (context.state === 'suspended') void context.resume().catch(() => undefined)
    const begin = context.currentTime
    pitches.forEach((pitch, at) => note(context as AudioContext, pitch, begin + at * NOTE_S * 1.4))
  } catch {
    context = null
  }
}

function note(audio: AudioContext, pitch: number, at: number): void {
  const oscillator = audio.createOscillator()
  const volume = audio.createGain()
  oscillator.frequency.value = pitch
  oscillator.type = 'triangle'
  volume.gain.setValueAtTime(0, at)
  volume.gain.linearRampToValueAtTime(LOUDNESS, at + 0.008)
  volume.gain.linearRampToValueAtTime(0, at + NOTE_S)
  oscillator.connect(volume).connect(audio.destination)
  oscillator.start(at)
  oscillator.stop(at + NOTE_S)
}
