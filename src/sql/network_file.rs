//! Rejects SQLite files on network file systems, where locks and syncs may not hold.

use std::path::Path;

use super::error::StoreError;

const NETWORK: [&str; 13] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "glusterfs",
    "afs",
    "ncpfs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.rclone",
];

/// Returns an error if the system reports that the file is on a network file system.
pub(crate) fn reject_network_file(path: &Path) -> Result<(), StoreError> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    match file_system(&mounts, &path) {
        Some(kind) if NETWORK.contains(&kind) => Err(StoreError::not_durable(
            "the SQLite file is on a network file system, which can lose what it committed: put it \
             on a local disk, or use PostgreSQL",
        )
        .with_source(format!("the file system is {kind}"))),
        _ => Ok(()),
    }
}

/// Returns the kind of the file system that is mounted closest above the path.
fn file_system<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        // A space in a path is written as its number in octal.
        let point = fields.nth(1)?.replace("\\040", " ");
        let kind = fields.next()?;
        path.starts_with(&point).then_some((point.len(), kind))
    });
    // Of two at one point, the later covers the earlier.
    mounts.max_by_key(|(len, _)| *len).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_system_is_that_of_the_closest_mount_point() {
        let mounts = "/dev/vda / ext4 rw 0 0\nhost:/a /srv nfs4 rw 0 0\n\
                      /dev/vdb /srv/local\\040disk xfs rw 0 0\nhost:/b /home ext4 rw 0 0\n\
                      host:/b /home cifs rw 0 0\n";
        for (path, kind) in [
            ("/var/inbox.sqlite", "ext4"),
            ("/srv/inbox.sqlite", "nfs4"),
            ("/srv2/inbox.sqlite", "ext4"),
            ("/srv/local disk/inbox.sqlite", "xfs"),
            ("/home/inbox.sqlite", "cifs"),
        ] {
            assert_eq!(file_system(mounts, Path::new(path)), Some(kind), "{path}");
        }
        assert_eq!(file_system("", Path::new("/")), None);
    }
}
