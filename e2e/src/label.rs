//! What a camera sees: an EAN-13 label as an uncompressed video, which Chromium shows in the place of a camera.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

const WIDTH: usize = 640;
const HEIGHT: usize = 480;
const FRAMES: usize = 10;
/// Pixels of the thinnest bar.
const MODULE: usize = 4;
const WHITE: u8 = 235;
const BLACK: u8 = 16;

/// The seven modules of each digit in the left half, parity odd (GS1 General Specifications, figure 5.2.1.2).
const ODD: [&str; 10] =
    ["0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011"];
/// Which of the left six digits are of even parity, by the first digit.
const EVEN: [&str; 10] =
    ["000000", "001011", "001101", "001110", "010011", "011001", "011100", "010101", "010110", "011010"];

/// The bars of a code of 13 digits, `1` for black.
fn modules(code: &str) -> Result<String> {
    let digits: Vec<usize> = code.chars().filter_map(|digit| digit.to_digit(10)).map(|digit| digit as usize).collect();
    ensure!(digits.len() == 13, "an EAN-13 has 13 digits");
    let flipped = |pattern: &str| -> String { pattern.chars().map(|bit| if bit == '0' { '1' } else { '0' }).collect() };
    let mut bars = String::from("101");
    for (digit, is_even) in digits[1..7].iter().zip(EVEN[digits[0]].chars()) {
        let odd = ODD[*digit];
        bars += &if is_even == '1' { flipped(odd).chars().rev().collect() } else { odd.to_owned() };
    }
    bars += "01010";
    for digit in &digits[7..] {
        bars += &flipped(ODD[*digit]);
    }
    bars += "101";
    Ok(bars)
}

/// Writes the video.
pub(crate) fn write_video(code: &str, to: &Path) -> Result<()> {
    let bars = modules(code)?;
    let left = (WIDTH - bars.len() * MODULE) / 2;
    let mut line = vec![WHITE; WIDTH];
    for (at, bit) in bars.chars().enumerate() {
        if bit == '1' {
            line[left + at * MODULE..left + (at + 1) * MODULE].fill(BLACK);
        }
    }
    let mut video = format!("YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n").into_bytes();
    for _ in 0..FRAMES {
        video.extend_from_slice(b"FRAME\n");
        for row in 0..HEIGHT {
            let is_label = (HEIGHT / 4..HEIGHT * 3 / 4).contains(&row);
            if is_label {
                video.extend_from_slice(&line);
            } else {
                video.extend_from_slice(&[WHITE; WIDTH]);
            }
        }
        video.extend_from_slice(&vec![128; WIDTH * HEIGHT / 2]);
    }
    fs::write(to, video).with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_95_modules_between_its_guards() {
        let bars = modules("4006381333931").unwrap();
        assert_eq!(bars.len(), 95);
        assert!(bars.starts_with("101") && bars.ends_with("101"));
        assert_eq!(&bars[45..50], "01010");
        assert!(modules("123").is_err());
    }
}
