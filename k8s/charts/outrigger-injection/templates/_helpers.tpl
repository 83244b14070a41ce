{{- define "outrigger.image" -}}
{{ .Values.sidecar.image | default (printf "outrigger:%s" .Chart.AppVersion) }}
{{- end }}

{{- /* The arguments by which the webhook learns what the values say of the sidecar. */}}
{{- define "outrigger.settings" -}}
{{- $s := .Values.sidecar }}
{{- $all := list (printf "image=%s" (include "outrigger.image" .)) (printf "config=%s" $s.config) (printf "certificates=%s" $s.certificates) (printf "tls-secret=%s" $s.tlsSecret) (printf "ports=%d" (int $s.port)) (printf "admin-port=%d" (int $s.adminPort)) (printf "cpu-request=%s" $s.cpuRequest) (printf "memory-request=%s" $s.memoryRequest) (printf "memory-limit=%s" $s.memoryLimit) }}
{{- if $s.policy }}{{ $all = append $all (printf "policy=%s" $s.policy) }}{{ end }}
{{- range $all }}, --set, {{ . | quote }}{{ end }}
{{- end }}
