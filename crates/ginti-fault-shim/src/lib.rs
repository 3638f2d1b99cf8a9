//! Preloaded into a server under test (`LD_PRELOAD`): lets the calls fail with which SQLite writes, while the file named by
//! `GINTI_FAULTS` says so.
//!
//! | the file says | what fails |
//! |---|---|
//! | `nosync` | nothing, but `fsync` and `fdatasync` do nothing: what a disk that costs nothing would be worth |
//! | `sync` | `fsync` and `fdatasync`, with `EIO` |
//! | `space` | `pwrite`, with `ENOSPC` |
//! | `short` | `pwrite` writes half of what it was given, then `ENOSPC` |
//! | `clock -7200` | nothing, but the time of day is so many seconds off |

#![cfg(target_os = "linux")]

use std::{
    ffi::c_void,
    fs::File,
    io::Read,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use libc::{c_int, clockid_t, off_t, size_t, ssize_t, timespec};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    NoSync,
    Sync,
    Space,
    Short,
    Clock(i64),
}

/// What the file says now.
fn fault() -> Fault {
    static FILE: OnceLock<Option<std::ffi::OsString>> = OnceLock::new();
    let Some(name) = FILE.get_or_init(|| std::env::var_os("GINTI_FAULTS")) else { return Fault::None };
    let mut text = String::new();
    if File::open(name).and_then(|mut file| file.read_to_string(&mut text)).is_err() {
        return Fault::None;
    }
    match text.trim() {
        "nosync" => Fault::NoSync,
        "sync" => Fault::Sync,
        "space" => Fault::Space,
        "short" => Fault::Short,
        text => text.strip_prefix("clock ").and_then(|seconds| seconds.parse().ok()).map_or(Fault::None, Fault::Clock),
    }
}

fn fail(code: c_int) -> c_int {
    // SAFETY: the address of this thread's own errno is always valid.
    unsafe { *libc::__errno_location() = code };
    -1
}

fn sync(call: libc::c_long, descriptor: c_int) -> c_int {
    match fault() {
        Fault::NoSync => return 0,
        Fault::Sync => return fail(libc::EIO),
        _ => {}
    }
    // SAFETY: fsync and fdatasync take a descriptor and nothing else; the kernel checks it.
    c_int::try_from(unsafe { libc::syscall(call, descriptor) }).unwrap_or(-1)
}

/// As the C library's.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(descriptor: c_int) -> c_int {
    sync(libc::SYS_fsync, descriptor)
}

/// As the C library's.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    sync(libc::SYS_fdatasync, descriptor)
}

/// As the C library's.
///
/// # Safety
/// As the C library's: the buffer must have so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(descriptor: c_int, buffer: *const c_void, count: size_t, offset: off_t) -> ssize_t {
    static WAS_SHORT: AtomicBool = AtomicBool::new(false);
    let count = match fault() {
        Fault::Short if count > 1 && !WAS_SHORT.fetch_xor(true, Ordering::Relaxed) => count / 2,
        Fault::Space | Fault::Short => return fail(libc::ENOSPC) as ssize_t,
        _ => count,
    };
    // SAFETY: the caller's promise, passed on with a count that is not larger.
    ssize_t::try_from(unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, buffer, count, offset) }).unwrap_or(-1)
}

/// As the C library's.
///
/// # Safety
/// As the C library's: the buffer must have so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(descriptor: c_int, buffer: *const c_void, count: size_t, offset: off_t) -> ssize_t {
    // SAFETY: the same function under its other name.
    unsafe { pwrite64(descriptor, buffer, count, offset) }
}

/// As the C library's. Only the time of day is ever off: what measures how long something takes goes on.
///
/// # Safety
/// As the C library's: the time must have a place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: the caller's promise, passed on.
    let told = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if told == 0
        && clock == libc::CLOCK_REALTIME
        && let Fault::Clock(seconds) = fault()
    {
        // SAFETY: the kernel has just written there.
        unsafe { (*time).tv_sec += seconds };
    }
    c_int::try_from(told).unwrap_or(-1)
}
