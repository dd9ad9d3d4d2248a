package isolate

import (
	"path/filepath"
	"slices"
	"strings"
)

// Readable reports whether every worker may read a path.
func Readable(path string) bool {
	return slices.ContainsFunc(system(), func(folder string) bool {
		return path == folder || strings.HasPrefix(path, folder+"/")
	})
}

// system lists what every worker may read and execute: programs, libraries, what they
// need to start, and the state of the machine. It has nothing of a user, and of /etc
// only what holds no secrets.
func system() []string {
	return []string{
		"/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/opt", "/nix/store", "/gnu/store",
		"/proc", "/sys",
		"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld-musl-x86_64.path", "/etc/ld-musl-aarch64.path",
		"/etc/alternatives", "/etc/localtime", "/etc/timezone", "/etc/locale.alias", "/etc/locale.conf", "/etc/default/locale",
		"/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/mime.types", "/etc/os-release",
		"/etc/OpenCL", "/etc/vulkan", "/etc/glvnd", "/etc/nvidia", "/etc/libva.conf", "/etc/drirc",
	}
}

// resolver lists what a program reads that connects to other machines.
func resolver() []string {
	return []string{
		"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols", "/etc/networks",
		"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies", "/run/systemd/resolve", "/run/nscd",
	}
}

// devices lists the device files that a worker may use: those without content, and
// accelerators, whose drivers list their folders, too.
func devices() []string {
	devices := []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/kfd", "/dev/dxg", "/dev/dri", "/dev/nvidia-caps", "/dev/accel"}
	for _, pattern := range []string{
		"/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/nvidia-modeset", "/dev/nvidia-uvm*", "/dev/nvidia-caps/*",
		"/dev/dri/*", "/dev/nvhost*", "/dev/nvmap", "/dev/accel/*",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue // the patterns are valid
		}
		for _, path := range found {
			if !isDir(path) {
				devices = append(devices, path)
			}
		}
	}
	return devices
}
