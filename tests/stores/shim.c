// An emulated loss of power: only what was fsynced under $POWER_DIR reaches $POWER_SHADOW. A new file has its name there
// once the directory was fsynced.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>
#define MAXF 64
#define MAXR 65536
struct f { char path[512]; ino_t ino; int shadow, named; off_t r[MAXR][2]; int n; int trunc; off_t size; };
static struct f *fs[MAXF]; static int nf;
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static const char *dir, *shadow; static int real_sync, fail_directory, fail_after=-1, syncs, full_after=-1, full_for=1<<30, writes, early;
static ssize_t (*rpw)(int,const void*,size_t,off_t); static ssize_t (*rw)(int,const void*,size_t); static int (*rfs)(int),(*rfd)(int),(*rft)(int,off_t);
__attribute__((constructor)) static void init(void){
  rpw=dlsym(RTLD_NEXT,"pwrite64"); rw=dlsym(RTLD_NEXT,"write"); rfs=dlsym(RTLD_NEXT,"fsync"); rfd=dlsym(RTLD_NEXT,"fdatasync"); rft=dlsym(RTLD_NEXT,"ftruncate64");
  dir=getenv("POWER_DIR"); shadow=getenv("POWER_SHADOW"); real_sync=getenv("POWER_REAL")!=NULL; fail_directory=getenv("POWER_FAIL_DIRECTORY")!=NULL;
  // The power goes as the database is about to be synced: so many of its pages have reached the disk early.
  if(getenv("POWER_EARLY")) early=atoi(getenv("POWER_EARLY"));
  if(getenv("POWER_FAIL_SYNC")) fail_after=atoi(getenv("POWER_FAIL_SYNC")); if(getenv("POWER_FULL")) full_after=atoi(getenv("POWER_FULL")); if(getenv("POWER_FULL_FOR")) full_for=atoi(getenv("POWER_FULL_FOR"));
}
static void named(char*sp,struct f*x,int named){ snprintf(sp,4096,"%s/%s%s",shadow,named?"":".new-",strrchr(x->path,'/')+1); }
static int is_directory(int fd){
  if(!dir||fd<3) return 0; char p[64],path[4096]; snprintf(p,64,"/proc/self/fd/%d",fd); ssize_t k=readlink(p,path,4095); if(k<0) return 0; path[k]=0; return !strcmp(path,dir);
}
static int flush_directory(int fd){
  if(fail_directory){ errno=EIO; return -1; } char new[4096],old[4096];
  pthread_mutex_lock(&m); for(int i=0;i<nf;i++) if(!fs[i]->named){ named(new,fs[i],0); named(old,fs[i],1); rename(new,old); fs[i]->named=1; } pthread_mutex_unlock(&m);
  return real_sync?rfs(fd):0;
}
static struct f *get(int fd){
  if(!dir||fd<3) return NULL; struct stat st; if(fstat(fd,&st)||!S_ISREG(st.st_mode)) return NULL;
  char p[64],path[4096]; snprintf(p,64,"/proc/self/fd/%d",fd); ssize_t k=readlink(p,path,4095); if(k<0) return NULL; path[k]=0;
  if(strncmp(path,dir,strlen(dir))) return NULL; if(strstr(path,"-shm")) return NULL; for(int i=0;i<nf;i++) if(!strcmp(fs[i]->path,path)) { if(fs[i]->ino!=st.st_ino){ fs[i]->ino=st.st_ino; fs[i]->n=0; fs[i]->trunc=1; fs[i]->size=0; } return fs[i]; } if(nf==MAXF) abort();
  struct f*x=calloc(1,sizeof*x); x->ino=st.st_ino; x->trunc=0; strncpy(x->path,path,511); char sp[4096]; named(sp,x,1); x->named=!access(sp,F_OK); named(sp,x,x->named);
  x->shadow=open(sp,O_CREAT|O_RDWR,0600); fs[nf++]=x; return x;
}
static int is_database(struct f*x){ size_t n=strlen(x->path); return n>7&&!strcmp(x->path+n-7,".sqlite"); }
static void dirty(struct f*x,off_t o,size_t n){
  if(x->n&&x->r[x->n-1][0]+x->r[x->n-1][1]==o){x->r[x->n-1][1]+=n;return;}
  if(x->n==MAXR){ abort(); } x->r[x->n][0]=o;x->r[x->n][1]=n;x->n++;
}
ssize_t pwrite64(int fd,const void*b,size_t n,off_t o){ pthread_mutex_lock(&m); struct f*x=get(fd); if(x&&full_after>=0&&writes++>=full_after&&writes<=(long)full_after+full_for){pthread_mutex_unlock(&m);errno=ENOSPC;return -1;} ssize_t r=rpw(fd,b,n,o); int e=errno; if(x&&r>0){dirty(x,o,r);if(early&&is_database(x)){early--;rpw(x->shadow,b,n,o);}} pthread_mutex_unlock(&m); errno=e; return r; }
ssize_t pwrite(int fd,const void*b,size_t n,off_t o){return pwrite64(fd,b,n,o);}
ssize_t write(int fd,const void*b,size_t n){ if(!dir||fd<3) return rw(fd,b,n); pthread_mutex_lock(&m); struct f*x=get(fd); off_t o=x?lseek(fd,0,SEEK_CUR):0; ssize_t r=rw(fd,b,n); int e=errno; if(x&&r>0)dirty(x,o,r); pthread_mutex_unlock(&m); errno=e; return r; }
int ftruncate64(int fd,off_t s){ pthread_mutex_lock(&m); struct f*x=get(fd); int r=rft(fd,s); if(x&&!r){x->trunc=1;x->size=s;} pthread_mutex_unlock(&m); return r; }
int ftruncate(int fd,off_t s){return ftruncate64(fd,s);}
static int flush(int fd,int (*real)(int)){
  if(is_directory(fd)) return flush_directory(fd);
  pthread_mutex_lock(&m); struct f*x=get(fd); if(!x){pthread_mutex_unlock(&m);return real(fd);}
  if(getenv("POWER_EARLY")&&is_database(x)) _exit(9);
  if(fail_after>=0&&syncs++>=fail_after){ int once=getenv("POWER_ONCE")!=NULL; if(!once||syncs==fail_after+1){ if(once) x->n=0; pthread_mutex_unlock(&m); errno=EIO; return -1; } }
  static char buf[1<<20];
  if(x->trunc){ rft(x->shadow,x->size); x->trunc=0; }
  for(int i=0;i<x->n;i++){ off_t o=x->r[i][0]; size_t n=x->r[i][1]; while(n){ size_t c=n>sizeof buf?sizeof buf:n; ssize_t k=pread(fd,buf,c,o); if(k<=0)break; rpw(x->shadow,buf,k,o); o+=k;n-=k; } }
  x->n=0; int r=real_sync?real(fd):0; pthread_mutex_unlock(&m); return r;
}
int fsync(int fd){return flush(fd,rfs);} int fdatasync(int fd){return flush(fd,rfd);}
int unlink(const char*p){ static int (*ru)(const char*); if(!ru) ru=dlsym(RTLD_NEXT,"unlink"); int r=ru(p); if(!r&&dir&&!strncmp(p,dir,strlen(dir))){ char sp[4096]; snprintf(sp,4096,"%s/%s",shadow,strrchr(p,'/')+1); pthread_mutex_lock(&m); ru(sp); for(int i=0;i<nf;i++) if(!strcmp(fs[i]->path,p)){ named(sp,fs[i],fs[i]->named); ru(sp); close(fs[i]->shadow); free(fs[i]); fs[i]=fs[--nf]; } pthread_mutex_unlock(&m);} return r; }
