/* SPDX-License-Identifier: MIT */
/*
 * devio-nicd: system calls. The receiver, which a client can attack, has the few
 * that it needs. The others keep all that the library may use but those that
 * make a foothold of a process: programs, users, namespaces, modules, other
 * processes, and interfaces of the kernel that devio-nicd never uses.
 */
#include "config.h"
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "nicd.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define ARCH AUDIT_ARCH_S390X
#endif

static const int receiver_calls[] = {
	SYS_recvmsg, SYS_recvfrom, SYS_sendmsg, SYS_sendto, SYS_ppoll, SYS_close, SYS_fstatfs, SYS_getsockopt,
	SYS_clock_gettime, SYS_rt_sigreturn, SYS_restart_syscall, SYS_exit, SYS_exit_group,
#ifdef SYS_poll
	SYS_poll,
#endif
};

static const int never[] = {
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd,
	SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_setfsuid,
	SYS_setfsgid, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_open_tree, SYS_move_mount, SYS_fsopen,
	SYS_fsmount, SYS_unshare, SYS_setns, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup,
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_swapoff,
	SYS_add_key, SYS_request_key, SYS_keyctl, SYS_open_by_handle_at, SYS_acct, SYS_quotactl, SYS_syslog,
	SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_sethostname, SYS_setdomainname, SYS_fanotify_init,
	SYS_personality, SYS_mknodat, SYS_fchmodat,
};

#define MAX 96
#define CALL(name) ((uint32_t)offsetof(struct seccomp_data, name))

/* The listed calls get `then`, others `otherwise`. */
static int install(const int *calls, size_t nr, uint32_t then, uint32_t otherwise)
{
#ifdef ARCH
	struct sock_filter f[MAX + 8];
	struct sock_fprog prog = { .filter = f };
	unsigned short n = 0;

	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CALL(arch));
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CALL(nr));
#ifdef __x86_64__
	/* The numbers of x32. */
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
#endif
	for (size_t i = 0; i < nr && i < MAX; i++)
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i],
						      (uint8_t)(nr - i), 0);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, then);
	prog.len = n;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) ? -1 : 0;
#else
	(void)calls;
	(void)nr;
	(void)then;
	(void)otherwise;
	errno = ENOSYS;
	return -1;
#endif
}

_Static_assert(sizeof(never) / sizeof(*never) <= MAX, "jumps have eight bits, and the filter is on the stack");

int nicd_seccomp(void)
{
	return install(never, sizeof(never) / sizeof(*never), SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW);
}

#ifdef DEVIO_SANITIZED
/* LeakSanitizer inspects the process from another one, which a process that dropped its rights does not allow. */
int __lsan_is_turned_off(void);
__attribute__((visibility("default"), used)) int __lsan_is_turned_off(void)
{
	return 1;
}
#endif

int nicd_seccomp_receiver(void)
{
#ifdef DEVIO_SANITIZED
	return 0; /* sanitizers make other system calls */
#endif
	return install(receiver_calls, sizeof(receiver_calls) / sizeof(*receiver_calls), SECCOMP_RET_ALLOW,
		       SECCOMP_RET_KILL_PROCESS);
}
