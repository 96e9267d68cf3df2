//! Makes SQLite's write-ahead log durable before a connection writes behind it.
//!
//! The [format](https://sqlite.org/fileformat2.html#the_write_ahead_log): a header of 32 bytes with the size of
//! a page (8..12) and a salt (16..24), and frames, each a header of 24 bytes with the salt (8..16) and a page.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::Path;

const HEADER_LEN: usize = 32;
const FRAME_HEADER_LEN: usize = 24;

/// The bytes that are read and written at once.
const CHUNK_LEN: usize = 256 * 1024;

/// Writes the bytes of the log anew, and syncs them. Nothing else may write to it meanwhile.
///
/// If a sync fails, the system keeps in memory what did not reach the disk, and the next sync succeeds
/// without it. The commit has failed, but a connection that opens the file after all others were
/// closed reads it from memory as one that succeeded, and adds commits behind it. After a loss of power
/// SQLite would read the log until that gap.
pub(super) fn rewrite(log: &mut File) -> Result<()> {
    let len = len_in_use(log)?;
    write_anew(log, len)?;
    let synced = log.sync_all();
    if synced.is_err() {
        // Once more, for the sync before SQLite copies the log as the connection is closed: that must
        // not succeed without these bytes.
        write_anew(log, len)?;
    }
    synced
}

/// Syncs the directory, so that the log is in it after a loss of power. SQLite does so with the first sync
/// of a log, but ignores an error.
#[cfg(unix)]
pub(super) fn sync_directory(log: &Path) -> Result<()> {
    /// The errors of file systems that sync no directories, and of a directory that may not be read.
    const NOT_POSSIBLE: [ErrorKind; 3] = [
        ErrorKind::InvalidInput,
        ErrorKind::Unsupported,
        ErrorKind::PermissionDenied,
    ];

    let directory = log.parent().unwrap_or(Path::new("/"));
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if NOT_POSSIBLE.contains(&error.kind()) => Ok(()),
        synced => synced,
    }
}

/// Elsewhere a directory cannot be synced.
#[cfg(not(unix))]
pub(super) fn sync_directory(_: &Path) -> Result<()> {
    Ok(())
}

/// Returns the length without the frames of an earlier round, which have another salt.
fn len_in_use(log: &File) -> Result<u64> {
    let mut log = BufReader::with_capacity(CHUNK_LEN, log);
    log.seek(SeekFrom::Start(0))?;
    let mut header = [0; HEADER_LEN];
    if !is_read(&mut log, &mut header)? {
        return Ok(0);
    }
    let page = u32::from_be_bytes(std::array::from_fn(|at| header[8 + at]));
    let mut len = HEADER_LEN as u64;
    let mut frame = [0; FRAME_HEADER_LEN];
    while is_read(&mut log, &mut frame)? && frame[8..16] == header[16..24] {
        log.seek_relative(i64::from(page))?;
        len += FRAME_HEADER_LEN as u64 + u64::from(page);
    }
    Ok(len)
}

/// Returns `false` at the end of the log.
fn is_read(log: &mut impl Read, bytes: &mut [u8]) -> Result<bool> {
    match log.read_exact(bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

fn write_anew(log: &mut File, len: u64) -> Result<()> {
    let mut bytes = Vec::with_capacity(CHUNK_LEN);
    let mut start = 0;
    while start < len {
        log.seek(SeekFrom::Start(start))?;
        bytes.clear();
        let wanted = (len - start).min(CHUNK_LEN as u64);
        if (&*log).take(wanted).read_to_end(&mut bytes)? == 0 {
            // The last frame was cut.
            break;
        }
        log.seek(SeekFrom::Start(start))?;
        log.write_all(&bytes)?;
        start += bytes.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(salts: &[u8]) -> Vec<u8> {
        let mut log = vec![0; HEADER_LEN];
        log[8..12].copy_from_slice(&512_u32.to_be_bytes());
        log[16..24].fill(7);
        for salt in salts {
            let mut frame = [1; FRAME_HEADER_LEN + 512];
            frame[8..16].fill(*salt);
            log.extend_from_slice(&frame);
        }
        log
    }

    /// Calls the function with a file that has these bytes.
    fn with_file(name: &str, bytes: &[u8], call: impl FnOnce(&mut File)) {
        let path = format!("bitrix24-{name}-{}.wal", std::process::id());
        let path = std::env::temp_dir().join(path);
        std::fs::write(&path, bytes).unwrap();
        let mut file = File::options().read(true).write(true).open(&path).unwrap();
        call(&mut file);
        drop(file);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn log_is_the_same_after_it_was_written_anew() {
        let mut bytes = log(&[7; 1000]);
        // The last frame is cut.
        bytes.truncate(bytes.len() - 100);
        with_file("anew", &bytes, |file| {
            rewrite(file).unwrap();
            let mut read = Vec::new();
            file.seek(SeekFrom::Start(0)).unwrap();
            file.read_to_end(&mut read).unwrap();
            assert!(read == bytes);
        });
    }

    #[test]
    fn frames_of_an_earlier_round_are_not_in_use() {
        let frame = FRAME_HEADER_LEN + 512;
        for (salts, frames) in [(&[][..], 0), (&[7, 7], 2), (&[7, 7, 6, 7], 2), (&[6], 0)] {
            with_file("salts", &log(salts), |file| {
                let len = HEADER_LEN + frames * frame;
                assert_eq!(len_in_use(file).unwrap(), len as u64);
            });
        }
        with_file("cut", &[1; 10], |file| {
            assert_eq!(len_in_use(file).unwrap(), 0);
        });
    }
}
