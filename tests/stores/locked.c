// Prints the process that holds the lock that SQLite has on an open file in write-ahead mode, or 0.
#include <fcntl.h>
#include <stdio.h>

int main(int count, char **arguments) {
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510};
    int file = count == 2 ? open(arguments[1], O_RDWR) : -1;
    if (file < 0 || fcntl(file, F_GETLK, &lock) < 0) return 1;
    printf("%d\n", lock.l_type == F_UNLCK ? 0 : (int)lock.l_pid);
    return 0;
}
