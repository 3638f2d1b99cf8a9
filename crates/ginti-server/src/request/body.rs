//! A JSON body's bytes: the media type checked, gzip undone, and the limit counted after decompression.
//!
//! Memory stays bounded whatever is sent: the compressed bytes are limited while they arrive and the decompressed ones
//! while they come out, so that a small gzip of a gigabyte of zeros costs one limit's worth and no more.

use std::io::Read;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
};
use flate2::read::MultiGzDecoder;
use ginti_types::Code;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::problem::{Answer, ProblemResponse};

/// What gzip adds to bytes that it cannot shrink, with room to spare.
const GZIP_OVERHEAD_MAX: usize = 4_096;
/// How much of an unwanted body is read and thrown away before the answer.
const DISCARD_BYTES_MAX: usize = 4 * 1_048_576;

enum Encoding {
    Identity,
    Gzip,
}

/// Reads a JSON body of at most `bytes_max` bytes, decompressed.
pub(crate) async fn read(headers: &HeaderMap, body: Body, bytes_max: usize) -> Answer<Vec<u8>> {
    let encoding = match media_type(headers).and_then(|()| encoding(headers)) {
        Ok(encoding) => encoding,
        Err(problem) => {
            discard(body).await;
            return Err(problem);
        }
    };
    match encoding {
        Encoding::Identity => collect(body, bytes_max, bytes_max).await,
        Encoding::Gzip => {
            let compressed = collect(body, bytes_max + GZIP_OVERHEAD_MAX, bytes_max).await?;
            gunzip(&compressed, bytes_max)
        }
    }
}

/// Reads a CSV file of at most `bytes_max` bytes, decompressed. Browsers name the type of such files in different ways.
pub(crate) async fn read_file(headers: &HeaderMap, body: Body, bytes_max: usize) -> Answer<Vec<u8>> {
    const TYPES: [&str; 4] = ["text/csv", "text/plain", "application/csv", "application/vnd.ms-excel"];
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = given.split(';').next().unwrap_or_default().trim();
    if !TYPES.iter().any(|good| media.eq_ignore_ascii_case(good)) {
        discard(body).await;
        let detail = "Send the file as it is, with \"Content-Type: text/csv\".";
        return Err(ProblemResponse::new(Code::UnsupportedMediaType, detail));
    }
    match encoding(headers)? {
        Encoding::Identity => collect(body, bytes_max, bytes_max).await,
        Encoding::Gzip => gunzip(&collect(body, bytes_max + GZIP_OVERHEAD_MAX, bytes_max).await?, bytes_max),
    }
}

/// Reads what is left of a body and throws it away.
///
/// A connection closed under a client that is still sending looks like a broken network to it, and it would never see
/// the answer (a `401` that asks for a new sign-in, say). What is longer than a few times the limit is cut off all the same.
pub(crate) async fn discard(body: Body) {
    let mut body = Limited::new(body, DISCARD_BYTES_MAX);
    while let Some(Ok(_)) = body.frame().await {}
}

fn media_type(headers: &HeaderMap) -> Answer<()> {
    let given = headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str);
    if let Some(Ok(text)) = given {
        let mut parts = text.split(';').map(str::trim);
        let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
        if is_json && parts.all(|parameter| parameter.is_empty() || is_utf8(parameter)) {
            return Ok(());
        }
    }
    let said = match given {
        None => "it says nothing about its type".to_owned(),
        Some(Ok(text)) => format!("it says {text:?}"),
        Some(Err(_)) => "its type is not readable".to_owned(),
    };
    Err(ProblemResponse::new(
        Code::UnsupportedMediaType,
        format!("The body must be JSON in UTF-8 (\"Content-Type: application/json\"), but {said}."),
    ))
}

fn is_utf8(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset") && value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    })
}

fn encoding(headers: &HeaderMap) -> Answer<Encoding> {
    let given: Vec<_> = headers.get_all(header::CONTENT_ENCODING).into_iter().collect();
    match given.as_slice() {
        [] => Ok(Encoding::Identity),
        [one] if one.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(Encoding::Identity),
        [one] if one.as_bytes().eq_ignore_ascii_case(b"gzip") => Ok(Encoding::Gzip),
        _ => Err(ProblemResponse::new(
            Code::UnsupportedEncoding,
            "The body's Content-Encoding is not accepted. Send it plain or with \"Content-Encoding: gzip\".",
        )),
    }
}

async fn collect(mut body: Body, bytes_max: usize, bytes_max_said: usize) -> Answer<Vec<u8>> {
    let mut limited = Limited::new(&mut body, bytes_max);
    let mut bytes = Vec::new();
    while let Some(frame) = limited.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            Err(error) if error.is::<LengthLimitError>() => {
                drop(bytes);
                discard(body).await;
                return Err(too_large(bytes_max_said));
            }
            Err(_) => {
                return Err(ProblemResponse::new(
                    Code::BodyIncomplete,
                    "The connection broke before all of the body was there. Nothing was stored; send it again.",
                ));
            }
        }
    }
    Ok(bytes)
}

/// Undoes gzip, up to a limit.
pub(crate) fn gunzip(compressed: &[u8], bytes_max: usize) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    let one_too_many = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    match MultiGzDecoder::new(compressed).take(one_too_many).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() > bytes_max => Err(too_large(bytes_max)),
        Ok(_) => Ok(bytes),
        Err(_) => Err(ProblemResponse::new(
            Code::UnsupportedEncoding,
            "The body says it is gzip but cannot be decompressed. Nothing was stored; send it again complete.",
        )),
    }
}

fn too_large(bytes_max: usize) -> ProblemResponse {
    ProblemResponse::new(
        Code::BodyTooLarge,
        format!(
            "The body is larger than {bytes_max} bytes (counted after decompression). Nothing was stored; send it in smaller parts."
        ),
    )
}
