package scanner
import ("testing";"fmt";"os")
func TestZZ(t *testing.T){ s:=builtIn(t)
 for _,l:=range s.search.lits { for _,a:=range l.looks { fmt.Printf("%q head %q edge %v tail %v\n", a.lit,a.head,a.edge,a.tail!=nil)}}
 fmt.Println("width",s.search.width,len(s.search.lits))
 for _,e:=range s.search.entries { fmt.Printf("%q ", fmt.Sprintf("%c%c%c%c",e.window&255,e.window>>8&255,e.window>>16&255,e.window>>24)) }
 data,_:=os.ReadFile("/dev/shm/fast/h0.log"); data=data[:100<<20]
 places:=0; cand:=0
 var pl [maxPlaces]uint32
 for from:=0; from+s.search.width<=len(data); { n,next:=s.search.sift(data[from:],&pl); places+=n; from+=next }
 s.search.each(data, func(h int)int{ cand++; if cand%20000==0 { fmt.Printf("%q\n", data[h-20:h+60])}; for data[h]!='\n'{h++}; return h+1})
 fmt.Println("places",places,"visits",cand)
}
func BenchmarkSift(b *testing.B){ s:=builtIn(b); data,_:=os.ReadFile("/dev/shm/fast/h0.log"); data=data[:1<<20]
 b.SetBytes(int64(len(data)))
 var pl [maxPlaces]uint32
 for b.Loop() { for from:=0; from+s.search.width<=len(data); { _,next:=s.search.sift(data[from:],&pl); from+=next } }
}
func BenchmarkEach(b *testing.B){ s:=builtIn(b); data,_:=os.ReadFile("/dev/shm/fast/h0.log"); data=data[:1<<20]
 b.SetBytes(int64(len(data)))
 for b.Loop() { s.search.each(data, func(h int)int{ for data[h]!='\n'{h++}; return h+1}) }
}
func BenchmarkPortable(b *testing.B){ fastSieve=false; defer func(){fastSieve=true}(); s:=builtIn(b); data,_:=os.ReadFile("/dev/shm/fast/h0.log"); data=data[:1<<20]
 b.SetBytes(int64(len(data)))
 for b.Loop() { s.search.each(data, func(h int)int{ for data[h]!='\n'{h++}; return h+1}) }
}
